// Head pose from 3D points and their pixels: Levenberg-Marquardt on the reprojection error, double precision.
#pragma once
#include <cmath>

namespace pyclnf {

inline void rodrigues(const double* r, double* R) {
    const double t = std::sqrt(r[0] * r[0] + r[1] * r[1] + r[2] * r[2]);
    if (t < 1e-12) {
        for (int i = 0; i < 9; ++i) R[i] = i % 4 == 0;
        return;
    }
    const double x = r[0] / t, y = r[1] / t, z = r[2] / t, c = std::cos(t), s = std::sin(t), k = 1 - c;
    const double M[9] = {c + x * x * k, x * y * k - z * s, x * z * k + y * s, x * y * k + z * s, c + y * y * k,
                         y * z * k - x * s, x * z * k - y * s, y * z * k + x * s, c + z * z * k};
    for (int i = 0; i < 9; ++i) R[i] = M[i];
}

inline double reprojection_cost(int n, const double* X, const double* uv, const double* K, const double* R, const double* t) {
    double cost = 0;
    for (int i = 0; i < n; ++i) {
        const double *P = X + 3 * i, x = R[0] * P[0] + R[1] * P[1] + R[2] * P[2] + t[0],
                     y = R[3] * P[0] + R[4] * P[1] + R[5] * P[2] + t[1], z = R[6] * P[0] + R[7] * P[1] + R[8] * P[2] + t[2];
        const double du = K[0] * x / z + K[2] - uv[2 * i], dv = K[1] * y / z + K[3] - uv[2 * i + 1];
        cost += du * du + dv * dv;
    }
    return cost;
}

// K = fx, fy, cx, cy; R (3, 3) and t (3,) hold the start and receive the result. Rotation steps are camera-frame increments.
inline void solve_pnp(int n, const double* X, const double* uv, const double* K, double* R, double* t) {
    double lambda = 1e-3, cost = reprojection_cost(n, X, uv, K, R, t);
    for (int it = 0; it < 60; ++it) {
        double H[36] = {0}, g[6] = {0};
        for (int i = 0; i < n; ++i) {
            const double* P = X + 3 * i;
            const double rx = R[0] * P[0] + R[1] * P[1] + R[2] * P[2], ry = R[3] * P[0] + R[4] * P[1] + R[5] * P[2],
                         rz = R[6] * P[0] + R[7] * P[1] + R[8] * P[2];
            const double x = rx + t[0], y = ry + t[1], iz = 1.0 / (rz + t[2]);
            const double du = K[0] * x * iz + K[2] - uv[2 * i], dv = K[1] * y * iz + K[3] - uv[2 * i + 1];
            const double a = K[0] * iz, b = -K[0] * x * iz * iz, c = K[1] * iz, d = -K[1] * y * iz * iz;
            // d point / d w = -[R P]x, d point / d t = I
            const double J[2][6] = {{b * ry, a * rz - b * rx, -a * ry, a, 0, b}, {-c * rz + d * ry, -d * rx, c * rx, 0, c, d}};
            for (int r = 0; r < 6; ++r) {
                g[r] += J[0][r] * du + J[1][r] * dv;
                for (int q = 0; q <= r; ++q) H[6 * r + q] += J[0][r] * J[0][q] + J[1][r] * J[1][q];
            }
        }
        bool improved = false;
        double step = 0;
        for (int attempt = 0; attempt < 12 && !improved; ++attempt) {
            double A[36], d[6];
            bool ok = true;
            for (int i = 0; i < 36; ++i) A[i] = H[i];
            for (int i = 0; i < 6; ++i) A[7 * i] *= 1 + lambda, d[i] = -g[i];
            for (int j = 0; j < 6 && ok; ++j)
                for (int i = j; i < 6; ++i) {
                    double s = A[6 * i + j];
                    for (int k = 0; k < j; ++k) s -= A[6 * i + k] * A[6 * j + k];
                    if (i == j) {
                        if (!(s > 0)) { ok = false; break; }
                        A[6 * j + j] = std::sqrt(s);
                    } else {
                        A[6 * i + j] = s / A[6 * j + j];
                    }
                }
            if (!ok) { lambda *= 10; continue; }
            for (int i = 0; i < 6; ++i) {
                for (int k = 0; k < i; ++k) d[i] -= A[6 * i + k] * d[k];
                d[i] /= A[7 * i];
            }
            for (int i = 5; i >= 0; --i) {
                for (int k = i + 1; k < 6; ++k) d[i] -= A[6 * k + i] * d[k];
                d[i] /= A[7 * i];
            }
            double W[9], R2[9], t2[3];
            rodrigues(d, W);
            for (int i = 0; i < 3; ++i) {
                t2[i] = t[i] + d[3 + i];
                for (int j = 0; j < 3; ++j) R2[3 * i + j] = W[3 * i] * R[j] + W[3 * i + 1] * R[3 + j] + W[3 * i + 2] * R[6 + j];
            }
            const double c2 = reprojection_cost(n, X, uv, K, R2, t2);
            if (c2 <= cost) {
                improved = true;
                cost = c2;
                lambda = lambda > 1e-12 ? lambda / 10 : lambda;
                for (int i = 0; i < 9; ++i) R[i] = R2[i];
                for (int i = 0; i < 3; ++i) t[i] = t2[i];
                double tn = 0;
                for (int i = 0; i < 3; ++i) step += d[i] * d[i], tn += t[i] * t[i];
                for (int i = 3; i < 6; ++i) step += d[i] * d[i] / (tn + 1e-12);
            } else {
                lambda *= 10;
            }
        }
        if (!improved || step < 1e-18) break;
    }
}

}  // namespace pyclnf
