// C = act(A B + bias) where row e of B starts at B + offsets[e].
//
// The indirection lets one register-blocked kernel serve fully connected layers (offset = e * ld), convolutions (offset =
// dy * pitch + dx: no im2col, the image itself is the matrix) and normal equations. Columns are processed in whole vectors, so B rows
// must be readable and C rows writable up to round_up(n, lanes).
#pragma once
#include "simd.hpp"

namespace {

enum Activation { kSigmoid = 0, kNone = 1, kRelu = 2 };

inline vf activate(vf x, int activation) {
    if (activation == kRelu) {
        const vf zero = {};
        return x > zero ? x : zero;
    }
    if (activation == kSigmoid) return splat(1.0f) / (splat(1.0f) + vexp(-x));
    return x;
}

struct Gemm {
    int m, n, k;
    const float* a;
    int lda;
    const float* b;
    const int32_t* offsets;
    const float* bias;  // (m,) or null
    float* c;
    int ldc;
    int activation;
};

template <int MR, int NV>
void gemm_tile(const Gemm& g, int row, int col) {
    vf acc[MR][NV];
    const float* a = g.a + static_cast<size_t>(row) * g.lda;
    const float* b0 = g.b + col;
#pragma GCC unroll 16
    for (int i = 0; i < MR; ++i)
#pragma GCC unroll 8
        for (int j = 0; j < NV; ++j) acc[i][j] = splat(g.bias ? g.bias[row + i] : 0.f);
    for (int e = 0; e < g.k; ++e) {
        // The next tile's rows of A: weights come from far away, and a row is too short for the processor to run ahead by itself.
        if (!(e & 15)) {
#pragma GCC unroll 16
            for (int i = 0; i < MR; ++i) __builtin_prefetch(a + static_cast<size_t>(MR + i) * g.lda + e);
        }
        const float* b = b0 + g.offsets[e];
        vf bv[NV];
#pragma GCC unroll 8
        for (int j = 0; j < NV; ++j) bv[j] = vload(b + j * kLanes);
#pragma GCC unroll 16
        for (int i = 0; i < MR; ++i) {
            const vf av = splat(a[static_cast<size_t>(i) * g.lda + e]);
#pragma GCC unroll 8
            for (int j = 0; j < NV; ++j) acc[i][j] += av * bv[j];
        }
    }
#pragma GCC unroll 16
    for (int i = 0; i < MR; ++i)
#pragma GCC unroll 8
        for (int j = 0; j < NV; ++j)
            vstore(g.c + static_cast<size_t>(row + i) * g.ldc + col + j * kLanes, activate(acc[i][j], g.activation));
}

// Rows per register tile when a tile is NV vectors wide: one register for the broadcast, NV for B, the rest accumulate.
constexpr int rows_per_tile(int nv) { return (kRegisters - 1 - nv) / nv < 12 ? (kRegisters - 1 - nv) / nv : 12; }

template <int MR, int NV>
struct Remainder {
    static void run(const Gemm& g, int row, int rows, int col) {
        if (rows == MR) gemm_tile<MR, NV>(g, row, col);
        else Remainder<MR - 1, NV>::run(g, row, rows, col);
    }
};
template <int NV>
struct Remainder<0, NV> {
    static void run(const Gemm&, int, int, int) {}
};

template <int NV>
void gemm_columns(const Gemm& g, int col) {
    constexpr int MR = rows_per_tile(NV);
    int row = 0;
    for (; row + MR <= g.m; row += MR) gemm_tile<MR, NV>(g, row, col);
    if (row < g.m) Remainder<MR - 1, NV>::run(g, row, g.m - row, col);
}

inline void gemm(const Gemm& g) {
    constexpr int widest = kRegisters >= 32 ? 5 : 2;  // of 16 registers: 6 x 2 sums, 2 of B, 1 of A
    int vectors = round_up(g.n, kLanes) / kLanes, col = 0;
    while (vectors > 0) {
        const int blocks = (vectors + widest - 1) / widest;
        const int nv = (vectors + blocks - 1) / blocks;  // even split: 6 vectors as 3 + 3, not 5 + 1
        switch (nv) {
            case 1: gemm_columns<1>(g, col); break;
            case 2: gemm_columns<2>(g, col); break;
#if NATIVE_REGISTERS >= 32
            case 3: gemm_columns<3>(g, col); break;
            case 4: gemm_columns<4>(g, col); break;
            default: gemm_columns<5>(g, col); break;
#else
            default: break;
#endif
        }
        col += nv * kLanes;
        vectors -= nv;
    }
}

}  // namespace
