// What the bindings share: array types, argument checks, and the kernels that were chosen for this machine.
#pragma once
#include <pybind11/numpy.h>
#include <pybind11/pybind11.h>
#include <pybind11/stl.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <vector>

#include "api.hpp"
#include "pool.hpp"

namespace pyclnf {

namespace py = pybind11;

using native::Pool;
extern const Api* api;

// Aligned, as plain loads read them; what is not is copied, where it may be.
constexpr int kAligned = py::detail::npy_api::NPY_ARRAY_ALIGNED_;
template <typename T>
using Array = py::array_t<T, py::array::c_style | kAligned>;
using F = Array<float>;
// Written in place: must be the caller's own memory, never an aligned copy.
using Out = py::array_t<float, py::array::c_style>;
using Doubles = py::array_t<double, py::array::c_style | py::array::forcecast | kAligned>;
constexpr py::ssize_t kLargestSide = py::ssize_t(1) << 24;  // px, points, rows: products with small numbers fit an int

inline void expect(bool ok, const char* what) {
    if (!ok) throw py::value_error(what);
}

inline Grey grey_view(const py::array_t<uint8_t>& a) {
    expect(a.ndim() == 2 && a.strides(1) == 1 && a.strides(0) >= 0, "grey image must be (rows, cols) uint8 with contiguous rows");
    expect(a.shape(0) <= kLargestSide && a.shape(1) <= kLargestSide && a.strides(0) <= 64 * kLargestSide, "image sides must be at most 2^24 px");
    return {a.data(), static_cast<int>(a.shape(0)), static_cast<int>(a.shape(1)), static_cast<int>(a.strides(0))};
}

inline void check_written(const Out& a) {
    expect(a.flags() & kAligned, "an array that is written in place must be aligned");
}

inline void check_window(int w) { expect(w >= 3 && w <= kLargestWindow && w % 2 == 1, "window must be odd and between 3 and 15"); }

inline void check_maps(const py::array& out, int n, int w) {
    check_window(w);
    expect(out.ndim() == 3 && out.shape(0) == n && out.shape(1) == w && out.shape(2) == kMapPitch,
           "response maps must be (landmarks, window, 16) float32");
}

void bind_image(py::module_& m);
void bind_shape(py::module_& m);
void bind_experts(py::module_& m);
void bind_validator(py::module_& m);

}  // namespace pyclnf
