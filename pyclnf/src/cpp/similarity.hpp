// Similarity alignment of two point sets with OpenCV's own float arithmetic, so that the result is bit-identical to
// OpenFace's AlignShapesWithScale (RotationHelpers.h). Compiled with -ffp-contract=off.
#pragma once

#include <cfloat>
#include <cmath>

namespace pyclnf {

// Centres n interleaved points (x, y) and scales them to unit RMS radius; returns the radius. The means, the sum of
// squares and the reciprocal are double, every element float, as in cv::mean, cv::sum and convertTo.
inline float normalise_points(const float* points, int n, float* out) {
    double sum[2] = {0.0, 0.0};
    for (int i = 0; i < n; ++i) {
        sum[0] += points[2 * i];
        sum[1] += points[2 * i + 1];
    }
    const float mean[2] = {static_cast<float>(sum[0] * (1.0 / n)), static_cast<float>(sum[1] * (1.0 / n))};
    double squares = 0.0;
    for (int i = 0; i < 2 * n; ++i) {
        out[i] = points[i] - mean[i % 2];
        const float square = out[i] * out[i];
        squares += square;
    }
    const float radius = static_cast<float>(std::sqrt(squares / n));
    const float reciprocal = static_cast<float>(1.0 / radius);
    for (int i = 0; i < 2 * n; ++i) out[i] *= reciprocal;
    return radius;
}

// Singular vectors of the 2 x 2 matrix h by one-sided Jacobi rotations (cv::SVD on float): h = u diag vt.
inline void jacobi_svd(const float h[2][2], float u[2][2], float vt[2][2]) {
    float at[2][2] = {{h[0][0], h[1][0]}, {h[0][1], h[1][1]}};
    float v[2][2] = {{1.f, 0.f}, {0.f, 1.f}};
    const auto energy = [&](int i) {
        return static_cast<double>(at[i][0]) * at[i][0] + static_cast<double>(at[i][1]) * at[i][1];
    };
    double w[2] = {energy(0), energy(1)};
    for (int iteration = 0; iteration < 30; ++iteration) {
        double p = static_cast<double>(at[0][0]) * at[1][0] + static_cast<double>(at[0][1]) * at[1][1];
        if (std::abs(p) <= FLT_EPSILON * 2 * std::sqrt(w[0] * w[1])) break;
        p *= 2;
        const double beta = w[0] - w[1], gamma = std::hypot(p, beta);
        float c, s;
        if (beta < 0) {
            s = static_cast<float>(std::sqrt((gamma - beta) * 0.5 / gamma));
            c = static_cast<float>(p / (gamma * s * 2));
        } else {
            c = static_cast<float>(std::sqrt((gamma + beta) / (gamma * 2)));
            s = static_cast<float>(p / (gamma * c * 2));
        }
        for (auto* m : {at, v}) {
            for (int k = 0; k < 2; ++k) {
                const float t0 = c * m[0][k] + s * m[1][k];
                const float t1 = -s * m[0][k] + c * m[1][k];
                m[0][k] = t0;
                m[1][k] = t1;
            }
        }
        w[0] = energy(0);
        w[1] = energy(1);
    }
    double singular[2] = {std::sqrt(energy(0)), std::sqrt(energy(1))};
    const int first = singular[0] < singular[1] ? 1 : 0;
    for (int i = 0; i < 2; ++i) {
        const int row = i == 0 ? first : 1 - first;
        const float reciprocal = singular[row] > FLT_MIN ? static_cast<float>(1.0 / singular[row]) : 0.f;
        for (int k = 0; k < 2; ++k) {
            u[k][i] = at[row][k] * reciprocal;
            vt[i][k] = v[row][k];
        }
    }
}

// 2 x 2 matrix that takes centred source points to centred target points; points are interleaved (x, y). scratch: 4 n.
inline void align_similarity(const float* source, const float* target, int n, float* scratch, float out[2][2]) {
    float* a = scratch;
    float* b = scratch + 2 * n;
    const float source_radius = normalise_points(source, n, a);
    const float target_radius = normalise_points(target, n, b);
    const float scale = target_radius / source_radius;
    float h[2][2];
    for (int r = 0; r < 2; ++r) {
        for (int c = 0; c < 2; ++c) {
            double sum = 0.0;
            for (int i = 0; i < n; ++i) sum += static_cast<double>(a[2 * i + r]) * b[2 * i + c];
            h[r][c] = static_cast<float>(sum);
        }
    }
    float u[2][2], vt[2][2];
    jacobi_svd(h, u, vt);
    // A reflection would have a negative determinant; it is undone on the second singular vector.
    const double det_u = static_cast<double>(u[0][0]) * u[1][1] - static_cast<double>(u[0][1]) * u[1][0];
    const double det_v = static_cast<double>(vt[0][0]) * vt[1][1] - static_cast<double>(vt[0][1]) * vt[1][0];
    const float sign = det_u * det_v > 0 ? 1.f : -1.f;
    for (int r = 0; r < 2; ++r) {
        for (int c = 0; c < 2; ++c) {
            const double sum = static_cast<double>(vt[0][r]) * u[c][0] + static_cast<double>(sign * vt[1][r]) * u[c][1];
            out[r][c] = scale * static_cast<float>(sum);
        }
    }
}

}  // namespace pyclnf
