// The kernels, compiled once per instruction set with PYCLNF_API naming the exported table.
//
// Everything here has internal linkage and no standard container is used: an inline function shared with another
// translation unit could be linked in its AVX-512 form into a program on a machine without it.
#include "api.hpp"
#include "experts.hpp"
#include "rlms.hpp"
#include "shape.hpp"
#include "validator.hpp"

namespace {

GreyImage image(const pyclnf::Grey& g) { return {g.data, g.rows, g.cols, g.stride}; }
Pdm model(const pyclnf::Shape& s) { return {s.n, s.m, s.mean, s.basis_t, s.eigenvalues}; }

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

void api_sample(const pyclnf::Grey& g, float x, float y, pyclnf::Similarity s, int side, bool flip, float* out) {
    sample_area(image(g), x, y, s.a, s.b, side, flip, out);
}

void api_ccnf(const pyclnf::Grey& g, float x, float y, pyclnf::Similarity s, int w, const pyclnf::Ccnf& e, float* out) {
    ccnf_response(image(g), x, y, s.a, s.b, w, {e.weights, e.bias, e.weight_sums, e.alpha2, e.sigma, e.sigma_scale, e.neurons}, out);
}

void api_invert_spd(double* matrix, int n) { invert_spd(matrix, n); }

void api_cen(const pyclnf::Grey& g, pyclnf::Similarity s, int w, const pyclnf::Dense* layers, int n_layers,
             const pyclnf::Source* sources, int n_sources) {
    DenseLayer d[16];
    CenSource from[2];
    for (int i = 0; i < n_layers; ++i)
        d[i] = {layers[i].weights, layers[i].bias, layers[i].rows, layers[i].columns, layers[i].ld, layers[i].activation};
    for (int i = 0; i < n_sources; ++i) from[i] = {sources[i].x, sources[i].y, sources[i].flip, sources[i].out};
    cen_response(image(g), s.a, s.b, w, d, n_layers, from, n_sources);
}

void api_svr(const pyclnf::Grey& g, float x, float y, pyclnf::Similarity s, int w, const pyclnf::Svr* e, int count, float* out) {
    SvrModality m[8];
    for (int i = 0; i < count; ++i) m[i] = {e[i].weights, e[i].scaling, e[i].bias, e[i].kind};
    svr_response(image(g), x, y, s.a, s.b, w, m, count, out);
}

void api_shape_3d(const pyclnf::Shape& s, const float* p, float* out) { shape_3d(model(s), p, out); }

void api_project(const pyclnf::Shape& s, const float* g, const float* p, float* out) {
    static thread_local Scratch scratch;
    float* s3 = scratch.get<float>(3 * s.n);
    shape_3d(model(s), p, s3);
    project(s.n, s3, g, out);
}

void api_jacobian(const pyclnf::Shape& s, const float* g, const float* p, bool rigid, float* out) {
    static thread_local Scratch scratch;
    float* s3 = scratch.get<float>(3 * s.n);
    shape_3d(model(s), p, s3);
    jacobian_t(model(s), s3, g, rigid, out, 2 * s.n);
}

void api_update(float* g, float* p, int m, const float* d) { apply_update(g, p, m, d); }

void api_fit_landmarks(const pyclnf::Shape& s, const float* landmarks, const float* rotation, float* g, float* p) {
    fit_landmarks(model(s), landmarks, rotation, g, p);
}

float api_rlms(const pyclnf::Rlms& t, float* g, float* p) {
    return nu_rlms({model(t.pdm), t.responses, t.visible, t.weights, t.base, t.kernel, t.image_to_reference,
                    t.reference_to_image, t.w, t.iterations, t.rigid, t.regularisation, t.sigma, t.landmark_likelihoods},
                   g, p);
}

void api_crop(const pyclnf::Grey& g, const pyclnf::Warp& w, const float* landmarks, float* out) {
    warped_crop(image(g),
                {w.rows, w.cols, w.pixels, w.triangles, w.points, w.min_x, w.min_y, w.vertices, w.pixel_index,
                 w.pixel_triangle, w.alpha, w.beta, w.mean, w.deviation},
                landmarks, out);
}

void api_cnn(const float* input, int rows, int cols, const pyclnf::Layer* layers, int count, int largest, float* out) {
    CnnLayer d[32];
    for (int i = 0; i < count; ++i)
        d[i] = {layers[i].type, layers[i].in, layers[i].out, layers[i].kernel_rows, layers[i].kernel_cols,
                layers[i].relu, layers[i].weights, layers[i].bias};
    cnn_forward(input, rows, cols, d, count, largest, out);
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

#define PYCLNF_STRING2(x) #x
#define PYCLNF_STRING(x) PYCLNF_STRING2(x)

extern "C" const pyclnf::Api PYCLNF_API = {
    PYCLNF_STRING(PYCLNF_API), kLanes,          api_grey_row, api_sample, api_ccnf, api_invert_spd, api_cen,  api_svr, api_shape_3d, api_project,
    api_jacobian,              api_update,      api_fit_landmarks,    api_rlms, api_crop, api_cnn,     api_sgemm,
};
