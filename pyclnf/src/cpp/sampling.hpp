// Bilinear sampling on OpenCV's fixed-point grid: coordinates are quantised to 1/32 px, pixels outside the image are 0.
//
// The taps are 8-bit and the weights multiples of 1/1024, so a sample is an integer / 1024: float32 holds it exactly.
#pragma once
#include <cmath>

#include "api.hpp"
#include "simd.hpp"

namespace {

using pyclnf::Grey;
using pyclnf::Similarity;

// std::lrint without a library call: round half to even. What is not finite or too large for it lies outside every image.
inline int64_t rint_i64(double x) {
    constexpr double limit = 1e15;
    if (!(x > -limit && x < limit)) return x > 0 ? int64_t(1) << 50 : -(int64_t(1) << 50);
    const double magic = 6755399441055744.0;  // 1.5 * 2^52: adding it rounds to the nearest integer
    const double t = x + magic;
    int64_t bits, zero;
    std::memcpy(&bits, &t, 8);
    std::memcpy(&zero, &magic, 8);
    return bits - zero;
}

// A coordinate far outside any image stays outside, and safe to add to.
inline int clamp_coordinate(int64_t v) {
    constexpr int64_t limit = int64_t(1) << 28;
    return static_cast<int>(v < -limit ? -limit : v > limit ? limit : v);
}

inline int tap(const Grey& im, int x, int y) {
    return (static_cast<unsigned>(x) < static_cast<unsigned>(im.cols) && static_cast<unsigned>(y) < static_cast<unsigned>(im.rows))
               ? im.data[static_cast<ptrdiff_t>(y) * im.stride + x]
               : 0;
}

// Exact bilinear value times 1024; X, Y in 1/32 px.
inline int sample_1024(const Grey& im, int X, int Y) {
    const int x = X >> 5, y = Y >> 5, fx = X & 31, fy = Y & 31;
    int p00, p01, p10, p11;
    if (x >= 0 && y >= 0 && x + 1 < im.cols && y + 1 < im.rows) {
        const uint8_t* p = im.data + static_cast<ptrdiff_t>(y) * im.stride + x;
        p00 = p[0], p01 = p[1], p10 = p[im.stride], p11 = p[im.stride + 1];
    } else {
        p00 = tap(im, x, y), p01 = tap(im, x + 1, y), p10 = tap(im, x, y + 1), p11 = tap(im, x + 1, y + 1);
    }
    return (p00 * (32 - fx) + p01 * fx) * (32 - fy) + (p10 * (32 - fx) + p11 * fx) * fy;
}

// The (side x side) area around (lx, ly) under the reference -> image similarity [a -b; b a]; flip mirrors columns.
inline void sample_area(const Grey& im, float lx, float ly, Similarity to_image, int side, bool flip, float* out) {
    const float a = to_image.a, b = to_image.b;
    const float h = (side - 1.0f) / 2.0f;
    // Products rounded before they are added, as in the reference: one fused step here moves samples across the 1/32 px grid.
    volatile float ah = a * h, bh = b * h;
    const float tx = lx - ah + bh, ty = ly - ah - bh;
    const double m00 = a, m01 = -b, m02 = tx, m10 = b, m11 = a, m12 = ty;
    int64_t ad[64], bd[64];
    for (int u = 0; u < side; ++u) {
        const int c = flip ? side - 1 - u : u;
        ad[u] = rint_i64(m00 * c * 1024.0);
        bd[u] = rint_i64(m10 * c * 1024.0);
    }
    for (int v = 0; v < side; ++v) {
        const int64_t X0 = rint_i64((m01 * v + m02) * 1024.0) + 16;
        const int64_t Y0 = rint_i64((m11 * v + m12) * 1024.0) + 16;
        float* row = out + static_cast<ptrdiff_t>(v) * side;
        for (int u = 0; u < side; ++u) {
            const int X = clamp_coordinate((X0 + ad[u]) >> 5), Y = clamp_coordinate((Y0 + bd[u]) >> 5);
            row[u] = static_cast<float>(sample_1024(im, X, Y)) * (1.0f / 1024.0f);
        }
    }
}

}  // namespace
