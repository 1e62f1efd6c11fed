// Images: grey conversion and fixed-point sampling.
#include "binding.hpp"

namespace pyclnf {

using namespace py::literals;

namespace {

Array<uint8_t> to_grey(const py::array_t<uint8_t>& bgr) {
    expect(bgr.ndim() == 3 && (bgr.shape(2) == 3 || bgr.shape(2) == 4) && bgr.strides(2) == 1 && bgr.strides(1) == bgr.shape(2),
           "image must be (rows, cols, 3 or 4) uint8 BGR with contiguous pixels");
    expect(bgr.shape(0) <= kLargestSide && bgr.shape(1) <= kLargestSide, "image sides must be at most 2^24 px");
    const int rows = static_cast<int>(bgr.shape(0)), cols = static_cast<int>(bgr.shape(1)), channels = static_cast<int>(bgr.shape(2));
    const auto stride = bgr.strides(0);
    Array<uint8_t> out({rows, cols});
    const uint8_t* in = bgr.data();
    uint8_t* o = out.mutable_data();
    py::gil_scoped_release release;
    for (int y = 0; y < rows; ++y) api->grey_row(in + y * stride, cols, channels, o + static_cast<size_t>(y) * cols);
    return out;
}

F sample_area(const py::array_t<uint8_t>& grey, float x, float y, float a, float b, int side, bool flip) {
    const Grey g = grey_view(grey);
    expect(side > 0 && side <= 64, "side must be between 1 and 64");
    F out({side, side});
    api->sample(g, x, y, {a, b}, side, flip, out.mutable_data());
    return out;
}

// Fixed-point bilinear warp of 8-bit images under an inverse (output -> input) map, zero border: OpenCV's warpAffine.
// The image may be a part of the input, whose first pixel is the input's (left, top).
Array<uint8_t> warp_inverse_u8(const py::array_t<uint8_t>& image, py::array_t<double> matrix, int width, int height, int left, int top) {
    expect(image.ndim() == 3 && image.shape(2) >= 1 && image.shape(2) <= 4 && (image.shape(2) == 1 || image.strides(2) == 1),
           "image must be (rows, cols, channels) uint8");
    expect(image.shape(0) <= kLargestSide && image.shape(1) <= kLargestSide, "image sides must be at most 2^24 px");
    expect(left >= 0 && top >= 0 && left <= kLargestSide && top <= kLargestSide, "a part begins inside the image");
    expect(matrix.size() == 6 && width > 0 && height > 0 && width <= 16384 && height <= 16384, "matrix (2, 3); size at most 16384");
    auto M = matrix.cast<py::array_t<double, py::array::c_style | py::array::forcecast>>();
    const double* m = M.data();
    const int rows = static_cast<int>(image.shape(0)), cols = static_cast<int>(image.shape(1)), ch = static_cast<int>(image.shape(2));
    const auto stride = image.strides(0), step = image.strides(1);
    const uint8_t* in = image.data();
    Array<uint8_t> out({height, width, ch});
    uint8_t* o = out.mutable_data();
    py::gil_scoped_release release;
    std::vector<int64_t> ad(width), bd(width);
    const int64_t limit = int64_t(1) << 28;
    // What is not finite or too large to round lies outside the image.
    auto fixed = [](double x) { return x > -1e15 && x < 1e15 ? static_cast<int64_t>(std::llrint(x)) : -(int64_t(1) << 50); };
    for (int u = 0; u < width; ++u) ad[u] = fixed(m[0] * u * 1024.0), bd[u] = fixed(m[3] * u * 1024.0);
    auto clamp = [&](int64_t v) { return static_cast<int>(v < -limit ? -limit : v > limit ? limit : v); };
    for (int v = 0; v < height; ++v) {
        const int64_t X0 = fixed((m[1] * v + m[2]) * 1024.0) + 16, Y0 = fixed((m[4] * v + m[5]) * 1024.0) + 16;
        for (int u = 0; u < width; ++u) {
            const int X = clamp((X0 + ad[u]) >> 5), Y = clamp((Y0 + bd[u]) >> 5);
            const int x = (X >> 5) - left, y = (Y >> 5) - top, fx = X & 31, fy = Y & 31;
            uint8_t* q = o + (static_cast<size_t>(v) * width + u) * ch;
            if (x >= 0 && y >= 0 && x + 1 < cols && y + 1 < rows) {
                const uint8_t* p = in + y * stride + x * step;
                for (int c = 0; c < ch; ++c) {
                    const int top = p[c] * (32 - fx) + p[step + c] * fx, bottom = p[stride + c] * (32 - fx) + p[stride + step + c] * fx;
                    q[c] = static_cast<uint8_t>((top * (32 - fy) + bottom * fy + 512) >> 10);
                }
                continue;
            }
            const bool x0 = x >= 0 && x < cols, x1 = x + 1 >= 0 && x + 1 < cols, y0 = y >= 0 && y < rows, y1 = y + 1 >= 0 && y + 1 < rows;
            const uint8_t* p = in;
            if (y0 || y1) p += y * stride;
            if (x0 || x1) p += x * step;
            for (int c = 0; c < ch; ++c) {
                const int a = x0 && y0 ? p[c] : 0, b = x1 && y0 ? p[step + c] : 0;
                const int d = x0 && y1 ? p[stride + c] : 0, e = x1 && y1 ? p[stride + step + c] : 0;
                const int value = (a * (32 - fx) + b * fx) * (32 - fy) + (d * (32 - fx) + e * fx) * fy;
                q[c] = static_cast<uint8_t>((value + 512) >> 10);
            }
        }
    }
    return out;
}

F sgemm(F a, F b) {
    expect(a.ndim() == 2 && b.ndim() == 2 && a.shape(1) == b.shape(0), "a must be (m, k), b (k, n)");
    expect(a.size() < 1 << 30 && b.size() < 1 << 30 && a.shape(0) * b.shape(1) < 1 << 30, "matrices must have fewer than 2^30 elements");
    F c({a.shape(0), b.shape(1)});
    api->sgemm(static_cast<int>(a.shape(0)), static_cast<int>(b.shape(1)), static_cast<int>(a.shape(1)), a.data(), b.data(), c.mutable_data());
    return c;
}

}  // namespace

void bind_image(py::module_& m) {
    m.def("to_grey", &to_grey);
    m.def("sample_area", &sample_area);
    m.def("warp_inverse_u8", &warp_inverse_u8, "image"_a, "matrix"_a, "width"_a, "height"_a, "left"_a = 0, "top"_a = 0);
    m.def("sgemm", &sgemm);
}

}  // namespace pyclnf
