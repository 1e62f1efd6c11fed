// What one instruction set's kernels offer; module.cpp chooses a set when the networks are made.
#pragma once
#include <cstddef>
#include <cstdint>

namespace pymtcnn {

enum Kind { kConvolution = 0, kRectifier = 1, kMaxPool = 2 };

struct Layer {
    int kind;
    int inputs, outputs;  // maps
    int rows, columns;    // of the kernel or the window
    int stride;           // of the window
    const float* weights;  // convolution (out, in, rows, columns); rectifier: slopes (maps,)
    const float* bias;     // convolution (out,)
};

// Where the last maps go: element (map, row, column) is at data[map * plane + row * pitch + column * step].
struct Destination {
    float* data;
    ptrdiff_t plane, pitch, step;
};

// How one axis is sampled. The arrays are padded to whole vectors with positions inside the frame.
struct Axis {
    int length;
    const int32_t *low, *high;            // neighbours: rows, or elements in a row
    const int32_t *low_mask, *high_mask;  // -1 inside the frame, 0 outside
    const float *near, *far;              // weights of low and high
};

struct Kernels {
    // Layers of one image (maps, rows, columns): `plane` floats from map to map, each readable one vector past its end.
    // `largest` is the most floats that the maps between two layers take.
    void (*trunk)(const Layer*, int count, const float* image, int maps, int rows, int columns, ptrdiff_t plane, size_t largest,
                  const Destination&);
    // out (outputs, n) = rectified (weights (outputs, inputs) in (inputs, n) + bias); rows `ld` apart, ld >= n in whole vectors.
    void (*dense)(const float* weights, const float* bias, const float* slopes, int outputs, int inputs, const float* in, int n,
                  int ld, float* out);
};

// Rows [first, first + rows) of the resized, normalised frame as R, G and B plane, `x.length` floats a row. Each plane may be
// written one vector past its end, so planes are at least that far apart.
struct Sampler {
    void (*bytes)(const uint8_t* frame, int height, int width, const Axis& x, const Axis& y, int first, int rows, float* out,
                  ptrdiff_t plane);
    void (*floats)(const float* frame, int height, int width, const Axis& x, const Axis& y, int first, int rows, float* out,
                   ptrdiff_t plane);
};

}  // namespace pymtcnn
