// The kernels, compiled once per instruction set into one table of functions each.
//
// Everything here has internal linkage and no standard container is used: an inline function shared with another
// translation unit could be linked in its AVX-512 form into a program on a machine without it.
#include "api.hpp"
#include "experts.hpp"
#include "rlms.hpp"
#include "shape.hpp"
#include "table.hpp"
#include "validator.hpp"

namespace {

template <int Channels>
void grey_pixels(const uint8_t* __restrict bgr, int cols, uint8_t* __restrict out) {
    // OpenCV 4's fixed-point weights of ITU-R BT.601.
    for (int x = 0; x < cols; ++x) {
        const uint8_t* p = bgr + x * Channels;
        out[x] = static_cast<uint8_t>((3735u * p[0] + 19235u * p[1] + 9798u * p[2] + 16384u) >> 15);
    }
}

void api_grey_row(const uint8_t* bgr, int cols, int channels, uint8_t* out) {
    if (channels == 3) grey_pixels<3>(bgr, cols, out);
    else grey_pixels<4>(bgr, cols, out);
}

void api_project(const Shape& s, const float* g, const float* p, float* out) {
    static thread_local Scratch scratch;
    float* s3 = scratch.get<float>(3 * s.n);
    shape_3d(s, p, s3);
    project(s.n, s3, g, out);
}

void api_jacobian(const Shape& s, const float* g, const float* p, bool rigid, float* out) {
    static thread_local Scratch scratch;
    float* s3 = scratch.get<float>(3 * s.n);
    shape_3d(s, p, s3);
    jacobian(s, s3, g, rigid, out, rigid ? 6 : 6 + s.m);
}

// Plain product for tests of the register tiles: b is (k, n), c (m, n).
void api_sgemm(int m, int n, int k, const float* a, const float* b, float* c) {
    static thread_local Scratch scratch;
    const int ld = round_up(n, kLanes);
    float* padded = scratch.get<float>(static_cast<size_t>(k + m) * ld + k);
    float* out = padded + static_cast<size_t>(k) * ld;
    int32_t* offsets = reinterpret_cast<int32_t*>(out + static_cast<size_t>(m) * ld);
    for (int e = 0; e < k; ++e) {
        offsets[e] = e * ld;
        std::memset(padded + static_cast<size_t>(e) * ld, 0, sizeof(float) * ld);
        std::memcpy(padded + static_cast<size_t>(e) * ld, b + static_cast<size_t>(e) * n, sizeof(float) * n);
    }
    gemm({m, n, k, a, k, padded, offsets, nullptr, out, ld, kNone});
    for (int i = 0; i < m; ++i) std::memcpy(c + static_cast<size_t>(i) * n, out + static_cast<size_t>(i) * ld, sizeof(float) * n);
}

}  // namespace

extern "C" const pyclnf::Api NATIVE_TABLE(pyclnf_kernels) = {
    api_grey_row, sample_area, ccnf_response, invert_spd,    cen_response, svr_response, shape_3d,  api_project,
    api_jacobian, apply_update, fit_landmarks, nu_rlms,      warped_crop,  cnn_forward,  api_sgemm,
};
