// Detection validator: one view's warp and network.
#include "binding.hpp"

namespace pyclnf {

using namespace py::literals;

namespace {

class ValidatorView {
  public:
    ValidatorView(int rows, int cols, float min_x, float min_y, Array<int32_t> vertices, Array<int32_t> pixel_index,
                  Array<int32_t> pixel_triangle, F alpha, F beta, F mean, F deviation, int points)
        // Copies of the indices: what is checked must stay as it is.
        : vertices_(copy(vertices)), pixel_index_(copy(pixel_index)), pixel_triangle_(copy(pixel_triangle)), alpha_(alpha),
          beta_(beta), mean_(mean), deviation_(deviation) {
        expect(rows > 0 && cols > 0 && rows <= 4096 && cols <= 4096, "crop must be 1 to 4096 px wide and high");
        const auto t = vertices.size() / 3, p = pixel_index.size();
        expect(vertices.size() == 3 * t && alpha.size() == 3 * t && beta.size() == 3 * t, "triangles, alpha, beta must be (t, 3)");
        expect(pixel_triangle.size() == p && mean.size() == p && deviation.size() == p && p > 0, "per-pixel arrays must match the mask");
        for (py::ssize_t i = 0; i < vertices.size(); ++i)
            expect(vertices_[i] >= 0 && vertices_[i] < points, "triangle vertex out of range");
        for (py::ssize_t i = 0; i < p; ++i)
            expect(pixel_index_[i] >= 0 && pixel_index_[i] < rows * cols && pixel_triangle_[i] >= 0 && pixel_triangle_[i] < t,
                   "pixel index out of range");
        warp_ = {rows, cols, static_cast<int>(p), static_cast<int>(t), points, min_x, min_y, vertices_.data(), pixel_index_.data(),
                 pixel_triangle_.data(), alpha_.data(), beta_.data(), mean_.data(), deviation_.data()};
        rows_ = rows, cols_ = pitch_ = cols, maps_ = 1;
        reserve(py::ssize_t(rows) * cols);
    }
    void add_convolution(F kernels, F bias, bool relu) {
        expect(kernels.ndim() == 4 && kernels.shape(1) == maps_ && bias.size() == kernels.shape(0), "kernels must be (out, in, h, w)");
        const int kh = static_cast<int>(kernels.shape(2)), kw = static_cast<int>(kernels.shape(3));
        expect(kh <= rows_ && kw <= cols_ && kh > 0 && kw > 0, "kernel larger than its input");
        push({0, maps_, static_cast<int>(kernels.shape(0)), kh, kw, relu, kernels.data(), bias.data()}, kernels, bias);
        // The maps keep the row pitch of their input, however many convolutions follow each other.
        rows_ -= kh - 1, cols_ -= kw - 1, maps_ = static_cast<int>(kernels.shape(0));
        reserve(py::ssize_t(maps_) * (py::ssize_t(rows_) * pitch_ + 64));
    }
    void add_max_pool() {
        push({1, maps_, maps_, 2, 2, false, nullptr, nullptr}, F(0), F(0));
        rows_ = (rows_ + 1) / 2, cols_ = pitch_ = (cols_ + 1) / 2;
    }
    // Weights (out, in), inputs map by map, each map by rows.
    void add_fully_connected(F weights, F bias, bool relu) {
        expect(weights.ndim() == 2 && weights.shape(1) == static_cast<py::ssize_t>(maps_) * rows_ * cols_, "inputs do not match");
        expect(bias.size() == weights.shape(0), "one bias per unit");
        push({2, static_cast<int>(weights.shape(1)), static_cast<int>(weights.shape(0)), 1, 1, relu, weights.data(), bias.data()},
             weights, bias);
        maps_ = static_cast<int>(weights.shape(0)), rows_ = cols_ = pitch_ = 1;
        reserve(maps_);
    }
    F crop(const py::array_t<uint8_t>& grey, F landmarks) const {
        const Grey g = grey_view(grey);
        expect(landmarks.size() == 2 * warp_.points, "landmarks must be planar (2n,)");
        F out({warp_.rows, warp_.cols});
        api->crop(g, warp_, landmarks.data(), out.mutable_data());
        return out;
    }
    F forward(const py::array_t<uint8_t>& grey, F landmarks) const {
        const Grey g = grey_view(grey);
        expect(landmarks.size() == 2 * warp_.points, "landmarks must be planar (2n,)");
        F out(static_cast<py::ssize_t>(maps_) * rows_ * cols_);
        float* o = out.mutable_data();
        const float* l = landmarks.data();
        py::gil_scoped_release release;
        std::vector<float> input(static_cast<size_t>(warp_.rows) * warp_.cols);
        api->crop(g, warp_, l, input.data());
        api->cnn(input.data(), warp_.rows, warp_.cols, layers_.data(), static_cast<int>(layers_.size()), largest_, o);
        return out;
    }

  private:
    static std::vector<int32_t> copy(const Array<int32_t>& a) { return {a.data(), a.data() + a.size()}; }
    void reserve(py::ssize_t floats) {
        expect(floats <= py::ssize_t(1) << 26, "network too large");
        largest_ = std::max(largest_, static_cast<int>(floats));
    }
    void push(Layer layer, F a, F b) {
        expect(layers_.size() < kMostLayers, "too many layers");
        layers_.push_back(layer), keep_.push_back(a), keep_.push_back(b);
    }
    std::vector<int32_t> vertices_, pixel_index_, pixel_triangle_;
    F alpha_, beta_, mean_, deviation_;
    Warp warp_;
    std::vector<Layer> layers_;
    std::vector<F> keep_;
    int rows_, cols_, pitch_, maps_, largest_ = 0;
};

}  // namespace

void bind_validator(py::module_& m) {
    py::class_<ValidatorView>(m, "ValidatorView")
        .def(py::init<int, int, float, float, Array<int32_t>, Array<int32_t>, Array<int32_t>, F, F, F, F, int>())
        .def("add_convolution", &ValidatorView::add_convolution)
        .def("add_max_pool", &ValidatorView::add_max_pool)
        .def("add_fully_connected", &ValidatorView::add_fully_connected)
        .def("crop", &ValidatorView::crop)
        .def("forward", &ValidatorView::forward);
}

}  // namespace pyclnf
