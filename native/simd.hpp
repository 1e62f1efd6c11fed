// One SIMD float vector type for whichever instruction set this translation unit is compiled for.
#pragma once
#include <cstddef>
#include <cstdint>
#include <cstring>

#if defined(__AVX512F__)
#define NATIVE_LANES 16
#define NATIVE_REGISTERS 32
#elif defined(__AVX2__)
#define NATIVE_LANES 8
#define NATIVE_REGISTERS 16
#elif defined(__aarch64__)
#define NATIVE_LANES 4
#define NATIVE_REGISTERS 32
#else
#define NATIVE_LANES 4
#define NATIVE_REGISTERS 16
#endif

namespace {

constexpr int kLanes = NATIVE_LANES;
constexpr int kRegisters = NATIVE_REGISTERS;

typedef float vf __attribute__((vector_size(kLanes * 4)));
typedef int32_t vi __attribute__((vector_size(kLanes * 4)));

inline vf vload(const float* p) {
    vf v;
    std::memcpy(&v, p, sizeof v);
    return v;
}
inline void vstore(float* p, vf v) { std::memcpy(p, &v, sizeof v); }
inline vf splat(float x) { return x - (vf){}; }

inline float hsum(vf v) {
    float lanes[kLanes], s = 0.f;
    std::memcpy(lanes, &v, sizeof v);
    for (int i = 0; i < kLanes; ++i) s += lanes[i];
    return s;
}

// exp(x) to about 1 ulp: range reduction by ln 2 in two parts, then a degree-6 minimax polynomial.
inline vf vexp(vf x) {
    const vf hi = splat(88.0f), lo = splat(-87.0f);
    x = x > hi ? hi : x;
    x = x < lo ? lo : x;
    const vf magic = splat(12582912.0f);  // 1.5 * 2^23: adding it rounds to the nearest integer
    vf n = (x * splat(1.44269504f) + magic) - magic;
    vf r = x - n * splat(0.693359375f);
    r = r - n * splat(-2.12194440e-4f);
    vf p = splat(1.9875691500e-4f);
    p = p * r + splat(1.3981999507e-3f);
    p = p * r + splat(8.3334519073e-3f);
    p = p * r + splat(4.1665795894e-2f);
    p = p * r + splat(1.6666665459e-1f);
    p = p * r + splat(5.0000001201e-1f);
    p = p * r * r + r + splat(1.0f);
    vi e = __builtin_convertvector(n, vi);
    vi bits = (e + 127) << 23;
    vf scale;
    std::memcpy(&scale, &bits, sizeof bits);
    return p * scale;
}

inline int round_up(int n, int m) { return (n + m - 1) / m * m; }

}  // namespace
