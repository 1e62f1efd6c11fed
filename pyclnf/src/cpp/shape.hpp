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

// Jacobian: one coordinate per row of `pitch` floats (x_0.., then y_0..). Columns 0..5 are scale, the three body-frame rotation
// increments and the translation; the modes follow unless `rigid`.
inline void jacobian(const Shape& pdm, const float* s3, const float* g, bool rigid, float* j, int pitch) {
    const int n = pdm.n, m = rigid ? 0 : pdm.m;
    float R[9];
    euler_to_matrix(g + 1, R);
    const float s = g[0];
    const float *X = s3, *Y = s3 + n, *Z = s3 + 2 * n;
    for (int half = 0; half < 2; ++half) {
        const float r0 = R[3 * half], r1 = R[3 * half + 1], r2 = R[3 * half + 2];
        for (int i = 0; i < n; ++i) {
            float* __restrict o = j + static_cast<size_t>(half * n + i) * pitch;
            o[0] = X[i] * r0 + Y[i] * r1 + Z[i] * r2;
            o[1] = s * (Y[i] * r2 - Z[i] * r1);
            o[2] = -s * (X[i] * r2 - Z[i] * r0);
            o[3] = s * (X[i] * r1 - Y[i] * r0);
            o[4] = half ? 0.f : 1.f;
            o[5] = half ? 1.f : 0.f;
            const float *bx = pdm.basis + static_cast<size_t>(i) * pdm.m, *by = bx + static_cast<size_t>(n) * pdm.m,
                        *bz = by + static_cast<size_t>(n) * pdm.m;
            for (int k = 0; k < m; ++k) o[6 + k] = s * (r0 * bx[k] + r1 * by[k] + r2 * bz[k]);
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

// Solves the symmetric system A d = b in place by Cholesky; false if A is not positive definite. Row k of `a` (pitch ld, a multiple of
// the lanes) holds column k of A from the diagonal on and becomes column k of its factor, so that a vector is part of a column.
inline bool cholesky_solve(float* __restrict a, int ld, int size, float* __restrict b) {
    for (int j = 0; j < size; ++j) {
        float* aj = a + static_cast<size_t>(j) * ld;
        const int whole = j / kLanes * kLanes;  // begin of the vector that holds the diagonal
        for (int i = whole; i < size; i += kLanes) {
            vf sum = {};
            for (int k = 0; k < j; ++k) sum += vload(a + static_cast<size_t>(k) * ld + i) * splat(a[static_cast<size_t>(k) * ld + j]);
            vstore(aj + i, vload(aj + i) - sum);
        }
        if (!(aj[j] > 1e-12f)) return false;
        const float diagonal = std::sqrt(aj[j]);
        for (int i = whole; i < size; i += kLanes) vstore(aj + i, vload(aj + i) / splat(diagonal));
        aj[j] = diagonal;
    }
    for (int k = 0; k < size; ++k) {
        const float* ak = a + static_cast<size_t>(k) * ld;
        b[k] /= ak[k];
        for (int i = k + 1; i < size; ++i) b[i] -= ak[i] * b[k];
    }
    for (int i = size - 1; i >= 0; --i) {
        const float* ai = a + static_cast<size_t>(i) * ld;
        float s = b[i];
        for (int k = i + 1; k < size; ++k) s -= ai[k] * b[k];
        b[i] = s / ai[i];
    }
    return true;
}

// out[r][c] = sum over e of j[e][r] w[e][c], for MR rows and NV vectors of columns; all have pitch ld.
template <int MR, int NV>
void gram_tile(const float* j, const float* w, int count, int ld, int row, int col, float* out) {
    vf acc[MR][NV];
#pragma GCC unroll 16
    for (int i = 0; i < MR; ++i)
#pragma GCC unroll 8
        for (int v = 0; v < NV; ++v) acc[i][v] = vf{};
    for (int e = 0; e < count; ++e) {
        const float *je = j + static_cast<size_t>(e) * ld + row, *we = w + static_cast<size_t>(e) * ld + col;
        vf wv[NV];
#pragma GCC unroll 8
        for (int v = 0; v < NV; ++v) wv[v] = vload(we + v * kLanes);
#pragma GCC unroll 16
        for (int i = 0; i < MR; ++i)
#pragma GCC unroll 8
            for (int v = 0; v < NV; ++v) acc[i][v] += splat(je[i]) * wv[v];
    }
#pragma GCC unroll 16
    for (int i = 0; i < MR; ++i)
#pragma GCC unroll 8
        for (int v = 0; v < NV; ++v) vstore(out + static_cast<size_t>(row + i) * ld + col + v * kLanes, acc[i][v]);
}

template <int MR>
void gram_rows(const float* j, const float* w, int count, int ld, int row, int col, float* out) {
    constexpr int widest = kRegisters >= 32 ? 3 : 2;
    for (; col + widest * kLanes <= ld; col += widest * kLanes) gram_tile<MR, widest>(j, w, count, ld, row, col, out);
    if (widest == 3 && col + 2 * kLanes <= ld) gram_tile<MR, 2>(j, w, count, ld, row, col, out), col += 2 * kLanes;
    if (col < ld) gram_tile<MR, 1>(j, w, count, ld, row, col, out);
}

// Normal equations of the weighted least squares step: H = JwT J + diag(lambda), rhs = JwT r. j and jw are (2n, ld); column q of j is r.
struct NormalEquations {
    static constexpr int kRows = kRegisters >= 32 ? 8 : 4;  // of a tile

    int q, n2, ld;
    float *j, *jw, *h, *rhs;

    static int pitch(int q) { return round_up(q + 1, kLanes > kRows ? kLanes : kRows); }
    static size_t floats(int q, int n2) { return static_cast<size_t>(pitch(q)) * (2 * n2 + pitch(q)); }
    NormalEquations(float* memory, int q_, int n2_) : q(q_), n2(n2_), ld(pitch(q_)) {
        j = memory;
        jw = j + static_cast<size_t>(n2) * ld;
        h = jw + static_cast<size_t>(n2) * ld;
        rhs = h + static_cast<size_t>(q) * ld;
    }
    // `weighted` is j or jw; its columns q.. are not used. Of H the rows' parts from the diagonal on are made.
    void build(const float* weighted, const float* residual) {
        for (int e = 0; e < n2; ++e) {
            float* row = j + static_cast<size_t>(e) * ld;
            row[q] = residual[e];
            for (int k = q + 1; k < ld; ++k) row[k] = 0.f;
        }
        for (int row = 0; row < q; row += kRows) gram_rows<kRows>(j, weighted, n2, ld, row, row / kLanes * kLanes, h);
        gram_rows<1>(j, weighted, n2, ld, q, 0, h);
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
    const size_t eq = NormalEquations::floats(q, 2 * n), modes = static_cast<size_t>(m) * 3 * n;
    float* memory = scratch.get<float>(eq + 2 * modes + 12 * static_cast<size_t>(n));
    NormalEquations ne(memory, q, 2 * n);
    float* mean = memory + eq;
    float* basis_t = mean + 3 * n;
    float* basis = basis_t + modes;
    float* s3 = basis + modes;
    float* target = s3 + 3 * n;
    float* shape = target + 2 * n;
    float* residual = shape + 2 * n;
    for (int axis = 0; axis < 3; ++axis)
        for (int i = 0; i < n; ++i) {
            mean[axis * n + i] = full.mean[axis * full.n + index[i]];
            if (axis < 2) target[axis * n + i] = landmarks[axis * full.n + index[i]];
        }
    for (int axis = 0; n < full.n && axis < 3; ++axis)
        for (int i = 0; i < n; ++i)
            for (int k = 0; k < m; ++k)
                basis_t[static_cast<size_t>(k) * 3 * n + axis * n + i] = basis[static_cast<size_t>(axis * n + i) * m + k] =
                    full.basis[static_cast<size_t>(axis * full.n + index[i]) * m + k];
    const Shape pdm = n < full.n ? Shape{n, m, mean, basis_t, basis, full.eigenvalues} : full;
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
        jacobian(pdm, s3, g, false, ne.j, ne.ld);
        ne.build(ne.j, residual);
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
