// Response maps of one landmark: CCNF, CEN and SVR patch experts.
//
// A map is w rows of kMapPitch floats; columns w.. are zero, so that later stages read whole vectors.
#pragma once
#include "gemm.hpp"
#include "sampling.hpp"
#include "scratch.hpp"

namespace {

using pyclnf::Ccnf;
using pyclnf::Dense;
using pyclnf::kLargestWindow;
using pyclnf::kMapPitch;
using pyclnf::Source;
using pyclnf::Svr;

constexpr int kSupport = 11;
constexpr int kSupportArea = kSupport * kSupport;
constexpr int kMaxSide = kLargestWindow + kSupport - 1;

// Mean and 1 / L2 norm of every 11x11 window of the area. The pixels are integers / 1024, so double sums are exact and
// sliding them loses nothing. A flat window gets 0: centred, it is all zeros whatever it is divided by, and this keeps the rounding
// of its correlations out.
inline void window_statistics(const float* area, int side, int w, float* mean, float* inverse_norm, int pitch) {
    double column[kMaxSide], column2[kMaxSide];
    for (int x = 0; x < side; ++x) {
        double s = 0, s2 = 0;
        for (int y = 0; y < kSupport - 1; ++y) {
            const double v = area[y * side + x];
            s += v, s2 += v * v;
        }
        column[x] = s, column2[x] = s2;
    }
    for (int r = 0; r < w; ++r) {
        const float* enter = area + (r + kSupport - 1) * side;
        for (int x = 0; x < side; ++x) {
            const double v = enter[x];
            column[x] += v, column2[x] += v * v;
        }
        double s = 0, s2 = 0;
        for (int x = 0; x < kSupport - 1; ++x) s += column[x], s2 += column2[x];
        for (int c = 0; c < w; ++c) {
            s += column[c + kSupport - 1], s2 += column2[c + kSupport - 1];
            const double m = s / kSupportArea, n2 = s2 - s * m;
            mean[r * pitch + c] = static_cast<float>(m);
            inverse_norm[r * pitch + c] = n2 > 1e-9 ? static_cast<float>(1.0 / std::sqrt(n2)) : 0.f;
            s -= column[c], s2 -= column2[c];
        }
        const float* leave = area + r * side;
        for (int x = 0; x < side; ++x) {
            const double v = leave[x];
            column[x] -= v, column2[x] -= v * v;
        }
    }
}

// Correlates every neuron with the whole area at its own row pitch (position p = row * side + col), then contrast-normalises the
// result: W.(v - m) / |v - m| = (W.v - m sum(W)) / |v - m|.
inline void ccnf_response(const Grey& im, float lx, float ly, Similarity to_image, int w, const Ccnf& e, float* out) {
    static thread_local Scratch scratch;
    const int side = w + kSupport - 1, n = (w - 1) * side + w, pitch = round_up(n, kLanes);
    const int area_size = round_up(side * side, kLanes) + 8 * kLanes, ww = w * w;
    float* area = scratch.get<float>(area_size + 2 * pitch + static_cast<size_t>(e.neurons) * pitch + pitch + ww + kLanes);
    float* mean = area + area_size;
    float* inverse = mean + pitch;
    float* z = inverse + pitch;
    float* r = z + static_cast<size_t>(e.neurons) * pitch;
    float* packed = r + pitch;
    sample_area(im, lx, ly, to_image, side, false, area);
    // Centre the area first: the correlation then cancels small numbers, not large ones.
    double total = 0;
    for (int i = 0; i < side * side; ++i) total += area[i];
    const float centre = static_cast<float>(static_cast<int>(total / (side * side)));
    for (int i = 0; i < side * side; ++i) area[i] -= centre;
    for (int i = side * side; i < area_size; ++i) area[i] = 0.f;
    for (int i = 0; i < pitch; ++i) mean[i] = 0.f, inverse[i] = 1.f, r[i] = 0.f;
    window_statistics(area, side, w, mean, inverse, side);

    int32_t offsets[kSupportArea];
    for (int x = 0; x < kSupport; ++x)
        for (int y = 0; y < kSupport; ++y) offsets[x * kSupport + y] = y * side + x;
    gemm({e.neurons, n, kSupportArea, e.weights, kSupportArea, area, offsets, nullptr, z, pitch, kNone});
    const vf one = splat(1.0f);
    for (int k = 0; k < e.neurons; ++k) {
        if (e.alpha2[k] == 0.f) continue;
        const vf bias = splat(e.bias[k]), sum = splat(e.weight_sums[k]), alpha2 = splat(e.alpha2[k]);
        const float* zk = z + static_cast<size_t>(k) * pitch;
        for (int p = 0; p < n; p += kLanes) {
            const vf zn = (vload(zk + p) - vload(mean + p) * sum) * vload(inverse + p) + bias;
            vstore(r + p, vload(r + p) + alpha2 / (one + vexp(-zn)));
        }
    }
    for (int y = 0; y < w; ++y) std::memcpy(packed + y * w, r + y * side, sizeof(float) * w);
    // q = Sigma r; Sigma is symmetric, so its rows can be accumulated as columns.
    float q[15 * 15 + 16];
    for (int i = 0; i < ww; ++i) q[i] = e.sigma ? 0.f : packed[i] * e.sigma_scale;
    for (int k = 0; e.sigma && k < ww; ++k) {
        const float rk = packed[k];
        const float* row = e.sigma + static_cast<size_t>(k) * ww;
        for (int i = 0; i < ww; ++i) q[i] += rk * row[i];
    }
    float lowest = 0.f;
    for (int i = 0; i < ww; ++i) lowest = q[i] < lowest ? q[i] : lowest;
    for (int y = 0; y < w; ++y) {
        for (int x = 0; x < w; ++x) out[y * kMapPitch + x] = q[y * w + x] - lowest;
        for (int x = w; x < kMapPitch; ++x) out[y * kMapPitch + x] = 0.f;
    }
}

// Inverts a symmetric positive definite (n, n) matrix in place: Gauss-Jordan by whole rows, which needs no pivoting here.
inline void invert_spd(double* a, int n) {
    for (int k = 0; k < n; ++k) {
        double* pivot = a + static_cast<size_t>(k) * n;
        const double p = 1.0 / pivot[k];
        pivot[k] = 1.0;
        for (int j = 0; j < n; ++j) pivot[j] *= p;
        for (int i = 0; i < n; ++i) {
            if (i == k) continue;
            double* row = a + static_cast<size_t>(i) * n;
            const double f = row[k];
            if (f == 0.0) continue;
            row[k] = 0.0;
            for (int j = 0; j < n; ++j) row[j] -= f * pivot[j];
        }
    }
}

// One CEN on one or two areas (a mirrored pair shares its expert, so the second area only adds columns to the products).
// Only positions with (row + column) odd are computed; the rest are means of their neighbours.
inline void cen_response(const Grey& im, Similarity to_image, int w, const Dense* layers, int n_layers, const Source* sources,
                         int n_sources) {
    static thread_local Scratch scratch;
    const int side = w + kSupport - 1, count = (w * w - 1) / 2, n = n_sources * count, ld = round_up(n, kLanes);
    int widest = kSupportArea;
    for (int i = 0; i < n_layers; ++i) widest = layers[i].rows > widest ? layers[i].rows : widest;
    const size_t plane = static_cast<size_t>(widest) * ld;
    float* x = scratch.get<float>(2 * plane + side * side + 2 * 15 * kMapPitch + ld);
    float* y = x + plane;
    float* area = y + plane;
    float* mean = area + side * side;
    float* inverse = mean + w * kMapPitch;
    int base[113], where[113];
    for (int k = 1, i = 0; k < w * w; k += 2, ++i) {
        const int row = k % w, col = k / w;
        base[i] = row * side + col;
        where[i] = row * kMapPitch + col;
    }
    for (int s = 0; s < n_sources; ++s) {
        sample_area(im, sources[s].x, sources[s].y, to_image, side, sources[s].flip, area);
        window_statistics(area, side, w, mean, inverse, kMapPitch);
        float m[113], inv[113];
        for (int i = 0; i < count; ++i) m[i] = mean[where[i]], inv[i] = inverse[where[i]];
        for (int dx = 0; dx < kSupport; ++dx)
            for (int dy = 0; dy < kSupport; ++dy) {
                float* row = x + static_cast<size_t>(dx * kSupport + dy) * ld + s * count;
                const float* from = area + dy * side + dx;
                for (int i = 0; i < count; ++i) row[i] = (from[base[i]] - m[i]) * inv[i];
            }
    }
    for (int e = 0; e < kSupportArea; ++e)
        for (int i = n; i < ld; ++i) x[static_cast<size_t>(e) * ld + i] = 0.f;
    int32_t offsets[pyclnf::kWidestDense];
    for (int e = 0; e < widest; ++e) offsets[e] = e * ld;
    for (int l = 0; l < n_layers; ++l) {
        const Dense& d = layers[l];
        gemm({d.rows, n, d.columns, d.weights, d.ld, x, offsets, d.bias, y, ld, d.activation});
        float* t = x;
        x = y, y = t;
    }
    for (int s = 0; s < n_sources; ++s) {
        float full[15 * kMapPitch];
        for (int i = 0; i < w * kMapPitch; ++i) full[i] = 0.f;
        for (int i = 0; i < count; ++i) full[where[i]] = x[s * count + i];
        for (int r = 0; r < w; ++r)
            for (int c = r & 1; c < w; c += 2) {
                float sum = 0.f;
                int neighbours = 0;
                if (r > 0) sum += full[(r - 1) * kMapPitch + c], ++neighbours;
                if (c > 0) sum += full[r * kMapPitch + c - 1], ++neighbours;
                if (c < w - 1) sum += full[r * kMapPitch + c + 1], ++neighbours;
                if (r < w - 1) sum += full[(r + 1) * kMapPitch + c], ++neighbours;
                full[r * kMapPitch + c] = neighbours ? sum / neighbours : 0.f;
            }
        float* out = sources[s].out;
        for (int r = 0; r < w; ++r) {
            for (int c = 0; c < w; ++c) out[r * kMapPitch + c] = full[r * kMapPitch + (sources[s].flip ? w - 1 - c : c)];
            for (int c = w; c < kMapPitch; ++c) out[r * kMapPitch + c] = 0.f;
        }
    }
}

// Product over modalities of a logistic of the normalised cross-correlation (double accumulation, OpenCV's clamping rule).
inline void svr_response(const Grey& im, float lx, float ly, Similarity to_image, int w, const Svr* modalities, int count, float* out) {
    const int side = w + kSupport - 1;
    float area[kMaxSide * kMaxSide], plane[kMaxSide * kMaxSide];
    sample_area(im, lx, ly, to_image, side, false, area);
    for (int i = 0; i < w * kMapPitch; ++i) out[i] = i % kMapPitch < w ? 1.f : 0.f;
    for (int m = 0; m < count; ++m) {
        const Svr& e = modalities[m];
        if (e.kind == 0) {
            double s = 0, s2 = 0;
            for (int i = 0; i < side * side; ++i) s += area[i], s2 += double(area[i]) * area[i];
            const double mu = s / (side * side), var = s2 / (side * side) - mu * mu;
            const double sd = var > 0 ? std::sqrt(var) : 1.0;
            for (int i = 0; i < side * side; ++i) plane[i] = static_cast<float>((area[i] - mu) / sd);
        } else {
            for (int i = 0; i < side * side; ++i) plane[i] = 0.f;
            for (int y = 1; y < side - 1; ++y)
                for (int x = 1; x < side - 1; ++x) {
                    const float gx = area[y * side + x + 1] - area[y * side + x - 1];
                    const float gy = area[(y + 1) * side + x] - area[(y - 1) * side + x];
                    plane[y * side + x] = gx * gx + gy * gy;
                }
        }
        double t = 0, t2 = 0;
        for (int i = 0; i < kSupportArea; ++i) t += e.weights[i], t2 += double(e.weights[i]) * e.weights[i];
        const double t_mean = t / kSupportArea, t_norm2 = t2 - t * t_mean;
        for (int r = 0; r < w; ++r)
            for (int c = 0; c < w; ++c) {
                double s = 0, s2 = 0, cross = 0;
                for (int y = 0; y < kSupport; ++y)
                    for (int x = 0; x < kSupport; ++x) {
                        const double v = plane[(r + y) * side + c + x];
                        s += v, s2 += v * v, cross += v * e.weights[y * kSupport + x];
                    }
                const double num = cross - s * t_mean, spread = s2 - s * s / kSupportArea;
                const double den = std::sqrt(spread > 0 ? spread : 0) * std::sqrt(t_norm2);
                double ncc;
                if (t_norm2 / kSupportArea < 2.2e-16) ncc = 1.0;
                else if (std::fabs(num) < den) ncc = num / den;
                else if (std::fabs(num) < den * 1.125) ncc = num > 0 ? 1.0 : -1.0;
                else ncc = 0.0;
                const float response = static_cast<float>(1.0 / (1.0 + std::exp(-(ncc * e.scaling + e.bias))));
                out[r * kMapPitch + c] *= response;
            }
    }
}

}  // namespace
