// What one instruction-set build of the kernels offers; module.cpp picks a build when the module loads.
#pragma once
#include <cstdint>

namespace pyclnf {

struct Grey {
    const uint8_t* data;
    int rows, cols, stride;
};
struct Shape {
    int n, m;
    const float *mean, *basis_t, *eigenvalues;
};
struct Similarity {
    float a, b;  // reference -> image [a -b; b a]
};
struct Ccnf {
    const float *weights, *bias, *weight_sums, *alpha2, *sigma;
    float sigma_scale;
    int neurons;
};
struct Dense {
    const float *weights, *bias;
    int rows, columns, ld, activation;
};
struct Source {
    float x, y;
    bool flip;
    float* out;
};
struct Svr {
    const float* weights;
    float scaling, bias;
    int kind;
};
struct Rlms {
    Shape pdm;
    const float* responses;
    const uint8_t* visible;
    const float *weights, *base, *kernel, *image_to_reference, *reference_to_image;
    int w, iterations;
    bool rigid;
    float regularisation, sigma;
    float* landmark_likelihoods;
};
struct Warp {
    int rows, cols, pixels, triangles, points;
    float min_x, min_y;
    const int32_t *vertices, *pixel_index, *pixel_triangle;
    const float *alpha, *beta, *mean, *deviation;
};
struct Layer {
    int type, in, out, kernel_rows, kernel_cols;
    bool relu;
    const float *weights, *bias;
};

struct Api {
    const char* name;
    int lanes;
    void (*grey_row)(const uint8_t* bgr, int cols, int channels, uint8_t* out);
    void (*sample)(const Grey&, float x, float y, Similarity, int side, bool flip, float* out);
    void (*ccnf)(const Grey&, float x, float y, Similarity, int w, const Ccnf&, float* out);
    void (*invert_spd)(double* matrix, int n);
    void (*cen)(const Grey&, Similarity, int w, const Dense*, int layers, const Source*, int sources);
    void (*svr)(const Grey&, float x, float y, Similarity, int w, const Svr*, int modalities, float* out);
    void (*shape_3d)(const Shape&, const float* p, float* out);
    void (*project)(const Shape&, const float* g, const float* p, float* out);
    void (*jacobian)(const Shape&, const float* g, const float* p, bool rigid, float* out);
    void (*update)(float* g, float* p, int m, const float* d);
    void (*fit_landmarks)(const Shape&, const float* landmarks, const float* rotation, float* g, float* p);
    float (*rlms)(const Rlms&, float* g, float* p);
    void (*crop)(const Grey&, const Warp&, const float* landmarks, float* out);
    void (*cnn)(const float* input, int rows, int cols, const Layer*, int count, int largest, float* out);
    void (*sgemm)(int m, int n, int k, const float* a, const float* b, float* c);
};

}  // namespace pyclnf
