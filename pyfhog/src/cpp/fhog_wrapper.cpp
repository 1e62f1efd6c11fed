// Python binding of dlib's FHOG: arithmetic only, every argument is checked again in Python (pyfhog/fhog.py).

#include <pybind11/numpy.h>
#include <pybind11/pybind11.h>

// dlib is used header-only. This guard skips the block that demands symbols of the compiled dlib library, which
// exist to catch programs that mix differently configured copies; a module with hidden symbols cannot do that.
#define DLIB_TEST_FOR_ODR_VIOLATIONS_H_

// dlib's NEON and AltiVec square roots and divisions are approximate; the portable path keeps results equal
// on every processor.
#if !defined(__SSE2__) && !defined(_M_X64)
#define DLIB_DO_NOT_USE_SIMD
#endif

#include <dlib/image_transforms/fhog.h>

#include <algorithm>
#include <cstddef>
#include <stdexcept>
#include <string>

namespace py = pybind11;

namespace {

constexpr long feature_count = 31;
constexpr int largest_size = 65536;
constexpr py::ssize_t largest_side = py::ssize_t(1) << 24;

// A borrowed image with dlib's image interface: `data` points at the first row, rows are `step` bytes apart.
template <typename Pixel>
struct BorrowedImage {
    const Pixel* data;
    long rows;
    long columns;
    long step;
};

template <typename Pixel>
long num_rows(const BorrowedImage<Pixel>& image) { return image.rows; }

template <typename Pixel>
long num_columns(const BorrowedImage<Pixel>& image) { return image.columns; }

template <typename Pixel>
long width_step(const BorrowedImage<Pixel>& image) { return image.step; }

template <typename Pixel>
const void* image_data(const BorrowedImage<Pixel>& image) { return image.data; }

}  // namespace

namespace dlib {

template <typename Pixel>
struct image_traits<BorrowedImage<Pixel>> {
    typedef Pixel pixel_type;
};

}  // namespace dlib

namespace {

using Cell = dlib::matrix<float, feature_count, 1>;

template <typename Pixel>
void extract(const BorrowedImage<Pixel>& image, int cell_size, int rows_padding, int columns_padding, float* out,
             long out_rows, long out_columns) {
    // One buffer per thread: a video asks for the same size every frame and then allocates nothing.
    static thread_local dlib::array2d<Cell> features;
    dlib::extract_fhog_features(image, features, cell_size, rows_padding, columns_padding);
    if (features.nr() != out_rows || features.nc() != out_columns) {
        throw std::logic_error("dlib returned " + std::to_string(features.nr()) + " x " +
                               std::to_string(features.nc()) + " cells, expected " + std::to_string(out_rows) +
                               " x " + std::to_string(out_columns));
    }
    for (long row = 0; row < out_rows; ++row) {
        for (long column = 0; column < out_columns; ++column) {
            const Cell& cell = features[row][column];
            out = std::copy(cell.begin(), cell.end(), out);
        }
    }
}

void extract_fhog(const py::array_t<unsigned char>& image, int cell_size, int rows_padding, int columns_padding,
                  py::array_t<float, py::array::c_style>& out) {
    const auto dims = image.ndim();
    if (dims != 2 && !(dims == 3 && image.shape(2) == 3)) {
        throw std::invalid_argument("image must be (H, W) or (H, W, 3)");
    }
    const bool packed = dims == 2 ? image.strides(1) == 1 : image.strides(2) == 1 && image.strides(1) == 3;
    if (!packed) {
        throw std::invalid_argument("the pixels of an image row must be contiguous");
    }
    if (out.ndim() != 3 || out.shape(2) != feature_count) {
        throw std::invalid_argument("out must be (rows, columns, 31)");
    }
    if (!(out.flags() & py::detail::npy_api::NPY_ARRAY_ALIGNED_)) {
        throw std::invalid_argument("out must be aligned");
    }
    // dlib divides by the cell size and indexes with the padding, unchecked; in whole numbers of 32 bits.
    for (const int size : {cell_size, rows_padding, columns_padding}) {
        if (size < 1 || size > largest_size) {
            throw std::invalid_argument("cell size and padding must be 1 to 65536");
        }
    }
    if (image.shape(0) > largest_side || image.shape(1) > largest_side) {
        throw std::invalid_argument("image sides must be at most 2^24 px");
    }
    const void* pixels = image.data();
    const long rows = static_cast<long>(image.shape(0));
    const long columns = static_cast<long>(image.shape(1));
    const long step = static_cast<long>(image.strides(0));
    float* target = out.mutable_data();
    const long out_rows = static_cast<long>(out.shape(0));
    const long out_columns = static_cast<long>(out.shape(1));

    py::gil_scoped_release release;
    if (dims == 2) {
        const BorrowedImage<unsigned char> grey{static_cast<const unsigned char*>(pixels), rows, columns, step};
        extract(grey, cell_size, rows_padding, columns_padding, target, out_rows, out_columns);
    } else {
        const BorrowedImage<dlib::bgr_pixel> colour{static_cast<const dlib::bgr_pixel*>(pixels), rows, columns, step};
        extract(colour, cell_size, rows_padding, columns_padding, target, out_rows, out_columns);
    }
}

}  // namespace

PYBIND11_MODULE(_core, module) {
    module.doc() = "dlib's FHOG on borrowed NumPy memory";
    module.def("extract_fhog", &extract_fhog, py::arg("image").noconvert(), py::arg("cell_size"),
               py::arg("filter_rows_padding"), py::arg("filter_cols_padding"), py::arg("out").noconvert());
}
