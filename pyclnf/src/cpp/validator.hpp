// Detection validator: piecewise-affine warp of the face to a small crop, then a small CNN.
#pragma once
#include "gemm.hpp"
#include "sampling.hpp"
#include "scratch.hpp"

namespace {

using pyclnf::Layer;
using pyclnf::Warp;

// Warps the face at `landmarks` (x..., y...) out of `im` (already cropped) and normalises it; writes (rows, cols), 0 outside the mask.
inline void warped_crop(const Grey& im, const Warp& w, const float* landmarks, float* crop) {
    static thread_local Scratch scratch;
    float* coefficients = scratch.get<float>(static_cast<size_t>(w.triangles) * 6 + w.pixels + 16);
    float* values = coefficients + static_cast<size_t>(w.triangles) * 6;
    const float *xs = landmarks, *ys = landmarks + w.points;
    for (int t = 0; t < w.triangles; ++t) {
        const int i = w.vertices[3 * t], j = w.vertices[3 * t + 1], k = w.vertices[3 * t + 2];
        const float *al = w.alpha + 3 * t, *be = w.beta + 3 * t;
        float* c = coefficients + 6 * t;
        const float c1 = xs[i], c2 = xs[j] - c1, c3 = xs[k] - c1, c4 = ys[i], c5 = ys[j] - c4, c6 = ys[k] - c4;
        c[0] = c1 + c2 * al[0] + c3 * be[0], c[1] = c2 * al[1] + c3 * be[1], c[2] = c2 * al[2] + c3 * be[2];
        c[3] = c4 + c5 * al[0] + c6 * be[0], c[4] = c5 * al[1] + c6 * be[1], c[5] = c5 * al[2] + c6 * be[2];
    }
    double sum = 0, sum2 = 0;
    for (int p = 0; p < w.pixels; ++p) {
        const float* c = coefficients + 6 * w.pixel_triangle[p];
        const float X = (w.pixel_index[p] % w.cols) + w.min_x, Y = (w.pixel_index[p] / w.cols) + w.min_y;
        const float mx = c[0] + c[1] * X + c[2] * Y, my = c[3] + c[4] * X + c[5] * Y;
        const float v = static_cast<float>(sample_1024(im, clamp_coordinate(rint_i64(double(mx * 32.f))),
                                                       clamp_coordinate(rint_i64(double(my * 32.f))))) *
                        (1.0f / 1024.0f);
        values[p] = v;
        sum += v, sum2 += double(v) * v;
    }
    const double mean = sum / w.pixels, variance = sum2 / w.pixels - mean * mean;
    const float mu = static_cast<float>(mean), sd = variance > 0 ? static_cast<float>(std::sqrt(variance)) : 1.f;
    std::memset(crop, 0, sizeof(float) * w.rows * w.cols);
    for (int p = 0; p < w.pixels; ++p)
        crop[w.pixel_index[p]] = ((values[p] - mu) / sd - w.mean[p]) / w.deviation[p];
}

// Convolution by the indirect product: the pitch of the output is that of the input, its last columns are not used.
inline void cnn_forward(const float* input, int rows, int cols, const Layer* layers, int count, int largest, float* output) {
    static thread_local Scratch scratch;
    const size_t plane = static_cast<size_t>(largest) + 1024;
    float* x = scratch.get<float>(2 * plane);
    float* y = x + plane;
    int maps = 1, pitch = cols, map_size = rows * cols;
    std::memcpy(x, input, sizeof(float) * map_size);
    for (int l = 0; l < count; ++l) {
        const Layer& d = layers[l];
        if (d.type == 0) {
            static thread_local Scratch offset_scratch;
            const int k = d.in * d.kernel_rows * d.kernel_cols;
            int32_t* offsets = offset_scratch.get<int32_t>(k);
            int e = 0;
            for (int c = 0; c < d.in; ++c)
                for (int i = 0; i < d.kernel_rows; ++i)
                    for (int j = 0; j < d.kernel_cols; ++j) offsets[e++] = c * map_size + i * pitch + j;
            const int out_rows = rows - d.kernel_rows + 1, out_cols = cols - d.kernel_cols + 1;
            const int n = (out_rows - 1) * pitch + out_cols, out_size = round_up(out_rows * pitch, kLanes);
            gemm({d.out, n, k, d.weights, k, x, offsets, d.bias, y, out_size, d.relu ? kRelu : kNone});
            rows = out_rows, cols = out_cols, maps = d.out, map_size = out_size;
        } else if (d.type == 1) {
            const int out_rows = (rows + 1) / 2, out_cols = (cols + 1) / 2;
            for (int c = 0; c < maps; ++c)
                for (int i = 0; i < out_rows; ++i)
                    for (int j = 0; j < out_cols; ++j) {
                        const float* p = x + static_cast<size_t>(c) * map_size + 2 * i * pitch + 2 * j;
                        float v = p[0];
                        if (2 * j + 1 < cols && p[1] > v) v = p[1];
                        if (2 * i + 1 < rows) {
                            if (p[pitch] > v) v = p[pitch];
                            if (2 * j + 1 < cols && p[pitch + 1] > v) v = p[pitch + 1];
                        }
                        y[(static_cast<size_t>(c) * out_rows + i) * out_cols + j] = v;
                    }
            rows = out_rows, cols = out_cols, pitch = out_cols, map_size = out_rows * out_cols;
        } else {
            // Compact the maps if a convolution left unused columns, then one dot product per unit.
            if (pitch != cols || map_size != rows * cols)
                for (int c = 0; c < maps; ++c)
                    for (int i = 0; i < rows; ++i)
                        std::memmove(x + (static_cast<size_t>(c) * rows + i) * cols,
                                     x + static_cast<size_t>(c) * map_size + i * pitch, sizeof(float) * cols);
            for (int u = 0; u < d.out; ++u) {
                const float* row = d.weights + static_cast<size_t>(u) * d.in;
                vf acc = {};
                int e = 0;
                for (; e + kLanes <= d.in; e += kLanes) acc += vload(row + e) * vload(x + e);
                float s = hsum(acc) + d.bias[u];
                for (; e < d.in; ++e) s += row[e] * x[e];
                y[u] = d.relu && s < 0.f ? 0.f : s;
            }
            maps = d.out, rows = cols = pitch = map_size = 1;
        }
        float* t = x;
        x = y, y = t;
    }
    for (int c = 0; c < maps; ++c) output[c] = x[static_cast<size_t>(c) * map_size];
}

}  // namespace
