// What one instruction set's kernels offer, and the types that pass between them and the bindings.
#pragma once
#include <cstdint>

namespace pyclnf {

constexpr int kLargestWindow = 15;
constexpr int kMapPitch = 16;  // floats of a row of a response map: the largest window, padded
constexpr int kMostPoints = 512, kMostModes = 122, kMostDenseLayers = 16, kMostModalities = 8, kMostLayers = 32, kWidestDense = 4096;

struct Grey {
    const uint8_t* data;
    int rows, cols, stride;  // stride in bytes
};
// Point distribution model.
struct Shape {
    int n, m;                  // points, modes
    const float* mean;         // (3n,)
    const float* basis_t;      // (m, 3n): one mode per row
    const float* basis;        // (3n, m): the same, one coordinate per row
    const float* eigenvalues;  // (m,)
};
struct Similarity {
    float a, b;  // reference -> image [a -b; b a]
};
struct Ccnf {
    const float* weights;      // (neurons, 121), flattened by columns, scaled by the neuron's norm
    const float* bias;         // (neurons,)
    const float* weight_sums;  // (neurons,)
    const float* alpha2;       // (neurons,) twice alpha, 0 where the neuron is off
    const float* sigma;        // (w*w, w*w), or null for a multiple of the identity
    float sigma_scale;         // that multiple
    int neurons;
};
struct Dense {
    const float* weights;  // (rows, columns), row pitch ld
    const float* bias;     // (rows,)
    int rows, columns, ld, activation;
};
// A landmark in the image, whether its area is mirrored, and its response map.
struct Source {
    float x, y;
    bool flip;
    float* out;
};
struct Svr {
    const float* weights;  // (11, 11) row-major, as used
    float scaling, bias;
    int kind;  // 0 intensity, 1 gradient
};
struct Rlms {
    Shape pdm;
    const float* responses;           // (n, w, kMapPitch)
    const uint8_t* visible;           // (n,)
    const float* weights;             // (n,) or null
    const float* base;                // (2n,) shape the maps are centred on
    const float* kernel;              // (10 w, kMapPitch) Gaussian of the KDE on the 0.1 px grid, one axis
    const float* image_to_reference;  // (2, 2)
    const float* reference_to_image;  // (2, 2)
    int w, iterations;
    bool rigid;
    float regularisation, sigma;
    float* landmark_likelihoods;  // (n,) or null: no likelihood wanted
};
struct Warp {
    int rows, cols, pixels, triangles, points;
    float min_x, min_y;
    const int32_t* vertices;        // (t, 3)
    const int32_t* pixel_index;     // (pixels,) position in the crop, in column-major scan order
    const int32_t* pixel_triangle;  // (pixels,)
    const float* alpha;             // (t, 3)
    const float* beta;              // (t, 3)
    const float* mean;              // (pixels,)
    const float* deviation;         // (pixels,)
};
struct Layer {
    int type;     // 0 convolution, 1 max pool 2x2, 2 fully connected
    int in, out;  // maps, or units
    int kernel_rows, kernel_cols;
    bool relu;
    const float* weights;  // convolution (out, in, kh, kw); fully connected (out, in)
    const float* bias;
};

struct Api {
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
