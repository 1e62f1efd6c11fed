// Layers of the networks on the planar maps of one image.
//
// A convolution is the indirect product of gemm.hpp on the maps themselves: it keeps its input's pitch, and the last columns of
// each row mix two rows and are never used. The order of summation of a result depends on nothing but the layer, so it has the
// same bits whatever is computed beside it.
#pragma once
#include "api.hpp"
#include "gemm.hpp"
#include "scratch.hpp"

namespace {

using pymtcnn::Layer;

struct Maps {
    const float* data;
    int count, rows, columns, pitch;
    ptrdiff_t plane;
};

inline vf rectified(vf v, vf slope) {
    const vf zero = {};
    return v >= zero ? v : v * slope;
}

inline vf larger(vf a, vf b) { return a > b ? a : b; }

inline Maps convolve(const Maps& x, const Layer& d, float* out) {
    static thread_local Scratch scratch;
    const int taps = d.inputs * d.rows * d.columns;
    int32_t* offsets = scratch.get<int32_t>(taps);
    int e = 0;
    for (int c = 0; c < d.inputs; ++c)
        for (int i = 0; i < d.rows; ++i)
            for (int j = 0; j < d.columns; ++j) offsets[e++] = static_cast<int32_t>(c * x.plane + i * x.pitch + j);
    const int rows = x.rows - d.rows + 1, columns = x.columns - d.columns + 1;
    const int plane = round_up(rows * x.pitch, kLanes), n = (rows - 1) * x.pitch + columns;
    gemm({d.outputs, n, taps, d.weights, taps, x.data, offsets, d.bias, out, plane, kNone});
    return {out, d.outputs, rows, columns, x.pitch, plane};
}

// `out` may be the input.
inline Maps rectify(const Maps& x, const Layer& d, float* out) {
    const int plane = round_up(x.rows * x.pitch, kLanes);
    for (int c = 0; c < x.count; ++c) {
        const vf slope = splat(d.weights[c]);
        const float* from = x.data + c * x.plane;
        float* to = out + static_cast<ptrdiff_t>(c) * plane;
        for (int i = 0; i < plane; i += kLanes) vstore(to + i, rectified(vload(from + i), slope));
    }
    return {out, x.count, x.rows, x.columns, x.pitch, plane};
}

// Maximum over `height` rows. A rising rectifier may follow the maximum, a falling one (negative slope) must precede it.
template <bool kEach>
inline void pool_rows(const float* from, int pitch, int height, int columns, vf slope, float* line) {
    for (int j = 0; j < columns; j += kLanes) {
        vf v = vload(from + j);
        if (kEach) v = rectified(v, slope);
        for (int i = 1; i < height; ++i) {
            const vf w = vload(from + static_cast<ptrdiff_t>(i) * pitch + j);
            v = larger(v, kEach ? rectified(w, slope) : w);
        }
        vstore(line + j, kEach ? v : rectified(v, slope));
    }
}

template <int kSize>
inline void pool_columns(const float* line, int columns, float* out) {
    for (int j = 0; j < columns; ++j) {
        float v = line[2 * j];
        for (int i = 1; i < kSize; ++i) v = line[2 * j + i] > v ? line[2 * j + i] : v;
        out[j] = v;
    }
}

// Windows are clipped at the right and bottom edge. The rectifier may be null.
inline Maps pool(const Maps& x, const Layer& d, const Layer* rectifier, float* out) {
    static thread_local Scratch scratch;
    const int rows = (x.rows - d.rows + d.stride - 1) / d.stride + 1, columns = (x.columns - d.columns + d.stride - 1) / d.stride + 1;
    const int plane = round_up(rows * columns, kLanes);
    float* line = scratch.get<float>(round_up(x.columns, kLanes) + d.columns + d.stride);
    for (int c = 0; c < x.count; ++c) {
        const float s = rectifier ? rectifier->weights[c] : 1.f;
        const vf slope = splat(s);
        for (int i = 0; i < rows; ++i) {
            const int first = i * d.stride, left = x.rows - first, height = left < d.rows ? left : d.rows;
            const float* from = x.data + c * x.plane + static_cast<ptrdiff_t>(first) * x.pitch;
            if (s < 0.f) pool_rows<true>(from, x.pitch, height, x.columns, slope, line);
            else pool_rows<false>(from, x.pitch, height, x.columns, slope, line);
            for (int j = 0; j < d.columns + d.stride; ++j) line[x.columns + j] = -3.4e38f;
            float* to = out + static_cast<ptrdiff_t>(c) * plane + static_cast<ptrdiff_t>(i) * columns;
            if (d.stride == 2 && d.columns == 2) pool_columns<2>(line, columns, to);
            else if (d.stride == 2 && d.columns == 3) pool_columns<3>(line, columns, to);
            else
                for (int j = 0; j < columns; ++j) {
                    float v = line[j * d.stride];
                    for (int k = 1; k < d.columns; ++k) v = line[j * d.stride + k] > v ? line[j * d.stride + k] : v;
                    to[j] = v;
                }
        }
    }
    return {out, x.count, rows, columns, columns, plane};
}

inline void run_trunk(const Layer* layers, int count, const float* image, int maps, int rows, int columns, ptrdiff_t plane, size_t largest,
                      const pymtcnn::Destination& out) {
    static thread_local Scratch scratch;
    const size_t half = largest + 2 * kLanes;
    float* free = scratch.get<float>(2 * half);
    float* other = free + half;
    Maps x{image, maps, rows, columns, columns, plane};
    for (int l = 0; l < count; ++l) {
        const bool pooled = layers[l].kind == pymtcnn::kRectifier && l + 1 < count && layers[l + 1].kind == pymtcnn::kMaxPool;
        if (layers[l].kind == pymtcnn::kRectifier && !pooled && x.data != image) {
            x = rectify(x, layers[l], other);  // where it is
            continue;
        }
        if (layers[l].kind == pymtcnn::kConvolution) x = convolve(x, layers[l], free);
        else if (pooled) x = pool(x, layers[l + 1], layers + l, free), ++l;
        else if (layers[l].kind == pymtcnn::kMaxPool) x = pool(x, layers[l], nullptr, free);
        else x = rectify(x, layers[l], free);
        float* t = free;
        free = other, other = t;
    }
    for (int c = 0; c < x.count; ++c)
        for (int i = 0; i < x.rows; ++i) {
            const float* from = x.data + c * x.plane + static_cast<ptrdiff_t>(i) * x.pitch;
            float* to = out.data + c * out.plane + i * out.pitch;
            if (out.step == 1) std::memcpy(to, from, sizeof(float) * x.columns);
            else
                for (int j = 0; j < x.columns; ++j) to[j * out.step] = from[j];
        }
}

inline void run_dense(const float* weights, const float* bias, const float* slopes, int outputs, int inputs, const float* in, int n,
                      int ld, float* out) {
    static thread_local Scratch scratch;
    int32_t* offsets = scratch.get<int32_t>(inputs);
    for (int e = 0; e < inputs; ++e) offsets[e] = e * ld;
    gemm({outputs, n, inputs, weights, inputs, in, offsets, bias, out, ld, kNone});
    if (!slopes) return;
    for (int u = 0; u < outputs; ++u) {
        const vf slope = splat(slopes[u]);
        float* row = out + static_cast<ptrdiff_t>(u) * ld;
        for (int i = 0; i < n; i += kLanes) vstore(row + i, rectified(vload(row + i), slope));
    }
}

}  // namespace
