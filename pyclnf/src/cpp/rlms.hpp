// Non-uniform regularised landmark mean shift (Baltrusaitis et al. 2013) on response maps already computed.
#pragma once
#include "experts.hpp"
#include "shape.hpp"

namespace {

using pyclnf::Rlms;

// Mean shift of one landmark in its map; the kernel sits on the nearest 0.1 px node, the shift is from the exact point.
inline void mean_shift(const float* map, const float* kernel, int w, float dx, float dy, float* sx, float* sy) {
    const float top = w - 0.1f;
    // Written so that NaN becomes 0: the result indexes a table.
    dx = dx > 0.f ? (dx > top ? top : dx) : 0.f;
    dy = dy > 0.f ? (dy > top ? top : dy) : 0.f;
    const int ix = static_cast<int>(dx / 0.1f + 0.5f), iy = static_cast<int>(dy / 0.1f + 0.5f);
    const float* kx = kernel + (ix < 10 * w ? ix : 10 * w - 1) * kMapPitch;
    const float* ky = kernel + (iy < 10 * w ? iy : 10 * w - 1) * kMapPitch;
    constexpr int vectors = kMapPitch / kLanes;
    vf sum[vectors] = {}, by_row[vectors] = {};  // of each column: of its values, and of values times rows
    for (int r = 0; r < w; ++r)
        for (int v = 0; v < vectors; ++v) {
            const vf value = vload(map + r * kMapPitch + v * kLanes) * vload(kx + v * kLanes) * splat(ky[r]);
            sum[v] += value;
            by_row[v] += value * splat(static_cast<float>(r));
        }
    float column[kMapPitch], column_by_row[kMapPitch], total = 0.f, mx = 0.f, my = 0.f;
    std::memcpy(column, sum, sizeof column);
    std::memcpy(column_by_row, by_row, sizeof column_by_row);
    for (int c = 0; c < w; ++c) total += column[c], mx += column[c] * c, my += column_by_row[c];
    if (total > 0.f) {
        *sx = mx / total - dx;
        *sy = my / total - dy;
    } else {
        *sx = *sy = 0.f;
    }
}

inline float landmark_likelihood(const float* map, int w, float dx, float dy, float sigma) {
    const float a = -0.5f / (sigma * sigma);
    float ex[kMapPitch], ey[kMapPitch], s = 0.f;
    for (int i = 0; i < w; ++i) {
        ex[i] = std::exp(a * (dx - i) * (dx - i));
        ey[i] = std::exp(a * (dy - i) * (dy - i));
    }
    for (int r = 0; r < w; ++r) {
        float in_row = 0.f;
        for (int c = 0; c < w; ++c) in_row += map[r * kMapPitch + c] * ex[c];
        s += in_row * ey[r];
    }
    return s;
}

// Updates g and p in place; returns the model likelihood (0 if not asked for).
inline float nu_rlms(const Rlms& t, float* g, float* p) {
    static thread_local Scratch scratch;
    const int n = t.pdm.n, n2 = 2 * n, m = t.rigid ? 0 : t.pdm.m, q = 6 + m, w = t.w;
    const size_t eq = NormalEquations::floats(q, n2);
    float* memory = scratch.get<float>(eq + 12 * static_cast<size_t>(n));
    NormalEquations ne(memory, q, n2);
    float* s3 = memory + eq;
    float* shape = s3 + 3 * n;
    float* previous = shape + n2;
    float* shift = previous + n2;
    float* dx = shift + n2;
    float* dy = dx + n;
    const float *ir = t.image_to_reference, *ri = t.reference_to_image;
    const float half = static_cast<float>((w - 1) / 2);
    float limit[pyclnf::kMostModes];
    for (int k = 0; k < t.pdm.m; ++k) limit[k] = 3.f * std::sqrt(t.pdm.eigenvalues[k]);
    for (int i = 0; i < n; ++i) dx[i] = dy[i] = half;

    for (int it = 0; it < t.iterations; ++it) {
        if (!t.rigid || it < 2) shape_3d(t.pdm, p, s3);  // the first rigid step may still have clamped p
        project(n, s3, g, shape);
        if (it > 0 && distance(shape, previous, n2) < 0.01f) break;
        std::memcpy(previous, shape, sizeof(float) * n2);
        jacobian(t.pdm, s3, g, t.rigid, ne.j, ne.ld);
        for (int i = 0; i < n; ++i) {
            const float ox = shape[i] - t.base[i], oy = shape[n + i] - t.base[n + i];
            dx[i] = ox * ir[0] + oy * ir[1] + half;
            dy[i] = ox * ir[2] + oy * ir[3] + half;
            if (!t.visible[i]) {
                shift[i] = shift[n + i] = 0.f;
                for (int half = 0; half < 2; ++half) std::memset(ne.j + static_cast<size_t>(half * n + i) * ne.ld, 0, sizeof(float) * q);
                continue;
            }
            float mx, my;
            mean_shift(t.responses + static_cast<size_t>(i) * w * kMapPitch, t.kernel, w, dx[i], dy[i], &mx, &my);
            shift[i] = mx * ri[0] + my * ri[1];
            shift[n + i] = mx * ri[2] + my * ri[3];
        }
        const float* weighted = ne.j;
        if (t.weights) {
            for (int e = 0; e < n2; ++e) {
                const float weight = t.weights[e < n ? e : e - n];
                const float* from = ne.j + static_cast<size_t>(e) * ne.ld;
                float* __restrict to = ne.jw + static_cast<size_t>(e) * ne.ld;
                for (int k = 0; k < q; ++k) to[k] = from[k] * weight;
                for (int k = q; k < ne.ld; ++k) to[k] = 0.f;
            }
            weighted = ne.jw;
        }
        ne.build(weighted, shift);
        for (int k = 0; k < m; ++k) {
            const float prior = t.regularisation / t.pdm.eigenvalues[k];
            ne.h[static_cast<size_t>(6 + k) * ne.ld + 6 + k] += prior;
            ne.rhs[6 + k] -= prior * p[k];
        }
        if (!ne.solve())
            for (int k = 0; k < q; ++k) ne.rhs[k] = 0.f;
        apply_update(g, p, m, ne.rhs);
        for (int k = 0; k < t.pdm.m; ++k) p[k] = p[k] > limit[k] ? limit[k] : p[k] < -limit[k] ? -limit[k] : p[k];
    }
    if (!t.landmark_likelihoods) return 0.f;
    double sum = 0;
    int visible = 0;
    for (int i = 0; i < n; ++i) {
        if (!t.visible[i]) {
            t.landmark_likelihoods[i] = -1e8f;
            continue;
        }
        const float l = landmark_likelihood(t.responses + static_cast<size_t>(i) * w * kMapPitch, w, dx[i], dy[i], t.sigma);
        t.landmark_likelihoods[i] = l;
        sum += std::log(l + 1e-8f);
        ++visible;
    }
    return visible ? static_cast<float>(sum / visible) : -1e8f;
}

}  // namespace
