// Point distribution model: shapes, Jacobians, parameter updates, and parameters from landmarks. float32 as in the reference.
#pragma once
#include <cmath>

#include "api.hpp"
#include "gemm.hpp"
#include "scratch.hpp"

namespace {

using pyclnf::Shape;

inline void euler_to_matrix(const float* e, float* R) {
    const float s1 = std::sin(e[0]), s2 = std::sin(e[1]), s3 = std::sin(e[2]);
    const float c1 = std::cos(e[0]), c2 = std::cos(e[1]), c3 = std::cos(e[2]);
    R[0] = c2 * c3, R[1] = -c2 * s3, R[2] = s2;
    R[3] = c1 * s3 + c3 * s1 * s2, R[4] = c1 * c3 - s1 * s2 * s3, R[5] = -c2 * s1;
    R[6] = s1 * s3 - c1 * c3 * s2, R[7] = c3 * s1 + c1 * s2 * s3, R[8] = c1 * c2;
}

inline void matrix_to_euler(const double* R, double* e) {
    const double q0 = std::sqrt(1.0 + R[0] + R[4] + R[8]) / 2.0;
    const double q1 = (R[7] - R[5]) / (4.0 * q0), q2 = (R[2] - R[6]) / (4.0 * q0), q3 = (R[3] - R[1]) / (4.0 * q0);
    double t = 2.0 * (q0 * q2 + q1 * q3);
    t = t > 1.0 ? 1.0 : t < -1.0 ? -1.0 : t;
    e[0] = std::atan2(2.0 * (q0 * q1 - q2 * q3), q0 * q0 - q1 * q1 - q2 * q2 + q3 * q3);
    e[1] = std::asin(t);
    e[2] = std::atan2(2.0 * (q0 * q3 - q1 * q2), q0 * q0 + q1 * q1 - q2 * q2 - q3 * q3);
}

inline void shape_3d(const Shape& pdm, const float* p, float* s) {
    const int n3 = 3 * pdm.n;
    std::memcpy(s, pdm.mean, sizeof(float) * n3);
    for (int k = 0; k < pdm.m; ++k) {
        const float pk = p[k];
        const float* mode = pdm.basis_t + static_cast<size_t>(k) * n3;
        for (int i = 0; i < n3; ++i) s[i] += mode[i] * pk;
    }
}

inline void project(int n, const float* s3, const float* g, float* out) {
    float R[9];
    euler_to_matrix(g + 1, R);
    const float s = g[0], tx = g[4], ty = g[5];
    const float *X = s3, *Y = s3 + n, *Z = s3 + 2 * n;
    for (int i = 0; i < n; ++i) out[i] = s * (R[0] * X[i] + R[1] * Y[i] + R[2] * Z[i]) + tx;
    for (int i = 0; i < n; ++i) out[n + i] = s * (R[3] * X[i] + R[4] * Y[i] + R[5] * Z[i]) + ty;
}

// Transposed Jacobian: one parameter per row of `pitch` floats (2n values: d x_i, then d y_i). Rows 0..5 are scale, the
// three body-frame rotation increments and the translation; the modes follow unless `rigid`.
inline void jacobian_t(const Shape& pdm, const float* s3, const float* g, bool rigid, float* jt, int pitch) {
    const int n = pdm.n;
    float R[9];
    euler_to_matrix(g + 1, R);
    const float s = g[0];
    const float *X = s3, *Y = s3 + n, *Z = s3 + 2 * n;
    for (int half = 0; half < 2; ++half) {
        const float r0 = R[3 * half], r1 = R[3 * half + 1], r2 = R[3 * half + 2];
        float* o = jt + half * n;
        for (int i = 0; i < n; ++i) {
            o[i] = X[i] * r0 + Y[i] * r1 + Z[i] * r2;
            o[pitch + i] = s * (Y[i] * r2 - Z[i] * r1);
            o[2 * pitch + i] = -s * (X[i] * r2 - Z[i] * r0);
            o[3 * pitch + i] = s * (X[i] * r1 - Y[i] * r0);
            o[4 * pitch + i] = half ? 0.f : 1.f;
            o[5 * pitch + i] = half ? 1.f : 0.f;
        }
        if (rigid) continue;
        for (int k = 0; k < pdm.m; ++k) {
            const float* B = pdm.basis_t + static_cast<size_t>(k) * 3 * n;
            float* row = jt + static_cast<size_t>(6 + k) * pitch + half * n;
            for (int i = 0; i < n; ++i) row[i] = s * (r0 * B[i] + r1 * B[n + i] + r2 * B[2 * n + i]);
        }
    }
}

// R <- R * (rotation closest to I + [w]x). The closest rotation turns by atan|w| about w.
inline void apply_update(float* g, float* p, int m, const float* d) {
    g[0] += d[0];
    g[4] += d[4];
    g[5] += d[5];
    float Rf[9];
    euler_to_matrix(g + 1, Rf);
    const double wx = d[1], wy = d[2], wz = d[3], length = std::sqrt(wx * wx + wy * wy + wz * wz);
    const double c = 1.0 / std::sqrt(1.0 + length * length);              // cos(atan|w|)
    const double k1 = c;                                                   // sin(atan|w|) / |w|
    const double k2 = length > 1e-8 ? (1.0 - c) / (length * length) : 0.5;  // (1 - cos) / |w|^2
    const double D[9] = {c + k2 * wx * wx,      k2 * wx * wy - k1 * wz, k2 * wx * wz + k1 * wy,
                         k2 * wx * wy + k1 * wz, c + k2 * wy * wy,      k2 * wy * wz - k1 * wx,
                         k2 * wx * wz - k1 * wy, k2 * wy * wz + k1 * wx, c + k2 * wz * wz};
    double R[9], e[3];
    for (int i = 0; i < 3; ++i)
        for (int j = 0; j < 3; ++j) R[3 * i + j] = Rf[3 * i] * D[j] + Rf[3 * i + 1] * D[3 + j] + Rf[3 * i + 2] * D[6 + j];
    matrix_to_euler(R, e);
    const bool bad = std::isnan(e[0]) || std::isnan(e[1]) || std::isnan(e[2]);
    for (int i = 0; i < 3; ++i) g[1 + i] = bad ? 0.f : static_cast<float>(e[i]);
    for (int k = 0; k < m; ++k) p[k] += d[6 + k];
}

// Solves the symmetric system A d = b in place by Cholesky (row pitch ld, lower triangle used). False if not positive definite.
inline bool cholesky_solve(float* A, int ld, int size, float* b) {
    for (int j = 0; j < size; ++j) {
        float* Aj = A + static_cast<size_t>(j) * ld;
        for (int i = j; i < size; ++i) {
            float* Ai = A + static_cast<size_t>(i) * ld;
            float s = 0.f;
            vf acc = {};
            int k = 0;
            for (; k + kLanes <= j; k += kLanes) acc += vload(Ai + k) * vload(Aj + k);
            if (k > 0) s = hsum(acc);
            for (; k < j; ++k) s += Ai[k] * Aj[k];
            const float v = Ai[j] - s;
            if (i == j) {
                if (!(v > 1e-12f)) return false;
                Aj[j] = std::sqrt(v);
            } else {
                Ai[j] = v / Aj[j];
            }
        }
    }
    for (int i = 0; i < size; ++i) {
        float s = b[i];
        for (int k = 0; k < i; ++k) s -= A[static_cast<size_t>(i) * ld + k] * b[k];
        b[i] = s / A[static_cast<size_t>(i) * ld + i];
    }
    for (int i = size - 1; i >= 0; --i) {
        float s = b[i];
        for (int k = i + 1; k < size; ++k) s -= A[static_cast<size_t>(k) * ld + i] * b[k];
        b[i] = s / A[static_cast<size_t>(i) * ld + i];
    }
    return true;
}

// Normal equations of the weighted least squares step: H = JwT J + diag(lambda), rhs = JwT r. jt and jwt are (q, pitch).
struct NormalEquations {
    int q, n2, pitch, ld;
    float *jt, *jwt, *j, *h, *rhs;

    static size_t floats(int q, int n2) {
        const size_t pitch = round_up(n2, kLanes), ld = round_up(q, kLanes);
        return 2 * q * pitch + n2 * ld + q * ld + ld + 8 * kLanes;
    }
    NormalEquations(float* memory, int q_, int n2_) : q(q_), n2(n2_), pitch(round_up(n2_, kLanes)), ld(round_up(q_, kLanes)) {
        jt = memory;
        jwt = jt + static_cast<size_t>(q) * pitch;
        j = jwt + static_cast<size_t>(q) * pitch;
        h = j + static_cast<size_t>(n2) * ld;
        rhs = h + static_cast<size_t>(q) * ld;
    }
    // `weighted` is jt or jwt.
    void build(const float* weighted, const float* residual) {
        for (int e = 0; e < n2; ++e) {
            float* row = j + static_cast<size_t>(e) * ld;
            for (int k = 0; k < q; ++k) row[k] = jt[static_cast<size_t>(k) * pitch + e];
            for (int k = q; k < ld; ++k) row[k] = 0.f;
        }
        int32_t offsets[2 * pyclnf::kMostPoints];
        for (int e = 0; e < n2; ++e) offsets[e] = e * ld;
        gemm({q, q, n2, weighted, pitch, j, offsets, nullptr, h, ld, kNone});
        for (int k = 0; k < q; ++k) {
            const float* row = weighted + static_cast<size_t>(k) * pitch;
            float s = 0.f;
            for (int e = 0; e < n2; ++e) s += row[e] * residual[e];
            rhs[k] = s;
        }
    }
    bool solve() { return cholesky_solve(h, ld, q, rhs); }
};

inline float distance(const float* a, const float* b, int count) {
    double s = 0;
    for (int i = 0; i < count; ++i) {
        const double d = double(a[i]) - b[i];
        s += d * d;
    }
    return static_cast<float>(std::sqrt(s));
}

// Gauss-Newton fit of (g, p) to 2D landmarks (x..., y...); points with x exactly 0 are not visible. The damping, the stopping rule
// (three insufficient improvements in total) and the stale 3D shape in the error are the reference's: PDM.cpp, CalcParams.
inline void fit_landmarks(const Shape& full, const float* landmarks, const float* rotation, float* g, float* p) {
    static thread_local Scratch scratch;
    int n = 0, index[pyclnf::kMostPoints];
    for (int i = 0; i < full.n; ++i)
        if (landmarks[i] != 0.f) index[n++] = i;
    const int m = full.m, q = 6 + m;
    for (int k = 0; k < m; ++k) p[k] = 0.f;
    if (n == 0) {
        const float none[6] = {1.f, 0.f, 0.f, 0.f, 0.f, 0.f};
        std::memcpy(g, none, sizeof none);
        return;
    }
    const size_t eq = NormalEquations::floats(q, 2 * n);
    float* memory = scratch.get<float>(eq + static_cast<size_t>(m + 2) * 3 * n + 8 * n + 64);
    NormalEquations ne(memory, q, 2 * n);
    float* mean = memory + eq;
    float* basis_t = mean + 3 * n;
    float* s3 = basis_t + static_cast<size_t>(m) * 3 * n;
    float* target = s3 + 3 * n;
    float* shape = target + 2 * n;
    float* residual = shape + 2 * n;
    for (int axis = 0; axis < 3; ++axis)
        for (int i = 0; i < n; ++i) {
            mean[axis * n + i] = full.mean[axis * full.n + index[i]];
            if (axis < 2) target[axis * n + i] = landmarks[axis * full.n + index[i]];
        }
    for (int k = 0; k < m; ++k)
        for (int axis = 0; axis < 3; ++axis)
            for (int i = 0; i < n; ++i)
                basis_t[static_cast<size_t>(k) * 3 * n + axis * n + i] =
                    full.basis_t[static_cast<size_t>(k) * 3 * full.n + axis * full.n + index[i]];
    const Shape pdm{n, m, mean, basis_t, full.eigenvalues};
    float lo[2], hi[2], mlo[2], mhi[2];
    for (int axis = 0; axis < 2; ++axis) {
        lo[axis] = hi[axis] = target[axis * n];
        mlo[axis] = mhi[axis] = mean[axis * n];
        for (int i = 1; i < n; ++i) {
            const float v = target[axis * n + i], u = mean[axis * n + i];
            lo[axis] = v < lo[axis] ? v : lo[axis], hi[axis] = v > hi[axis] ? v : hi[axis];
            mlo[axis] = u < mlo[axis] ? u : mlo[axis], mhi[axis] = u > mhi[axis] ? u : mhi[axis];
        }
    }
    g[0] = ((hi[0] - lo[0]) / (mhi[0] - mlo[0]) + (hi[1] - lo[1]) / (mhi[1] - mlo[1])) / 2.f;
    for (int i = 0; i < 3; ++i) g[1 + i] = rotation[i];
    g[4] = (lo[0] + hi[0]) / 2.f, g[5] = (lo[1] + hi[1]) / 2.f;

    shape_3d(pdm, p, s3);
    project(n, s3, g, shape);
    float error = distance(shape, target, 2 * n);
    int bad = 0;
    for (int it = 0; it < 1000 && bad < 3; ++it) {
        if (it > 0) {
            shape_3d(pdm, p, s3);
            project(n, s3, g, shape);
        }
        for (int i = 0; i < 2 * n; ++i) residual[i] = target[i] - shape[i];
        jacobian_t(pdm, s3, g, false, ne.jt, ne.pitch);
        ne.build(ne.jt, residual);
        for (int k = 0; k < m; ++k) {
            ne.h[static_cast<size_t>(6 + k) * ne.ld + 6 + k] += 1.f / full.eigenvalues[k];
            ne.rhs[6 + k] -= p[k] / full.eigenvalues[k];
        }
        if (!ne.solve()) break;
        for (int k = 0; k < q; ++k) ne.rhs[k] *= 0.75f;
        apply_update(g, p, m, ne.rhs);
        project(n, s3, g, shape);
        const float e = distance(shape, target, 2 * n);
        if (0.999f * error < e) ++bad;
        error = e;
    }
}

}  // namespace
