// Python bindings: checks shapes, releases the interpreter lock, and calls the kernels of the best instruction set.
#include <pybind11/numpy.h>
#include <pybind11/pybind11.h>
#include <pybind11/stl.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstring>
#include <optional>
#include <string>
#include <vector>

#include "api.hpp"
#include "pnp.hpp"
#include "pool.hpp"
#include "similarity.hpp"

namespace py = pybind11;
using namespace py::literals;
using namespace pyclnf;

extern "C" {
extern const Api pyclnf_baseline;
#if PYCLNF_X86
extern const Api pyclnf_avx2;
extern const Api pyclnf_avx512;
#endif
}

namespace {

constexpr int kMapPitch = 16, kLargestWindow = 15;
const Api* api = &pyclnf_baseline;

std::vector<const Api*> supported() {
    std::vector<const Api*> found{&pyclnf_baseline};
#if PYCLNF_X86
    __builtin_cpu_init();
    if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")) found.push_back(&pyclnf_avx2);
    if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512bw") &&
        __builtin_cpu_supports("avx512vl"))
        found.push_back(&pyclnf_avx512);
#endif
    return found;
}

std::string short_name(const Api* a) { return std::string(a->name).substr(std::strlen("pyclnf_")); }

template <typename T>
using Array = py::array_t<T, py::array::c_style>;
using F = Array<float>;

void expect(bool ok, const char* what) {
    if (!ok) throw py::value_error(what);
}

Grey grey_view(const py::array_t<uint8_t>& a) {
    expect(a.ndim() == 2 && a.strides(1) == 1 && a.strides(0) >= 0, "grey image must be (rows, cols) uint8 with contiguous rows");
    return {a.data(), static_cast<int>(a.shape(0)), static_cast<int>(a.shape(1)), static_cast<int>(a.strides(0))};
}

void check_window(int w) { expect(w >= 3 && w <= kLargestWindow && w % 2 == 1, "window must be odd and between 3 and 15"); }

void check_maps(const F& out, int n, int w) {
    check_window(w);
    expect(out.ndim() == 3 && out.shape(0) == n && out.shape(1) == w && out.shape(2) == kMapPitch,
           "response maps must be (landmarks, window, 16) float32");
}

class ShapeModel {
  public:
    ShapeModel(F mean, F basis_t, F eigenvalues) : mean_(mean), basis_t_(basis_t), eigenvalues_(eigenvalues) {
        expect(basis_t.ndim() == 2 && mean.ndim() == 1 && eigenvalues.ndim() == 1, "mean (3n,), basis_t (m, 3n), eigenvalues (m,)");
        const auto m = basis_t.shape(0), n3 = basis_t.shape(1);
        expect(mean.size() == n3 && n3 % 3 == 0 && eigenvalues.size() == m, "mean (3n,), basis_t (m, 3n), eigenvalues (m,)");
        expect(m <= 122 && n3 / 3 <= 512 && n3 > 0, "at most 122 modes and 512 points");
        view = {static_cast<int>(n3 / 3), static_cast<int>(m), mean_.data(), basis_t_.data(), eigenvalues_.data()};
    }

    void check(const F& g, const F& p) const {
        expect(g.size() == 6, "params_global must hold 6 values");
        expect(p.size() == view.m, "params_local must hold one value per mode");
    }
    F shape_3d(F p) const {
        expect(p.size() == view.m, "params_local must hold one value per mode");
        F out(3 * view.n);
        api->shape_3d(view, p.data(), out.mutable_data());
        return out;
    }
    F project(F g, F p) const {
        check(g, p);
        F out(2 * view.n);
        api->project(view, g.data(), p.data(), out.mutable_data());
        return out;
    }
    F jacobian(F g, F p, bool rigid) const {
        check(g, p);
        F out({rigid ? 6 : 6 + view.m, 2 * view.n});
        api->jacobian(view, g.data(), p.data(), rigid, out.mutable_data());
        return out;
    }
    py::tuple update(F g, F p, F d) const {
        check(g, p);
        expect(d.size() == 6 || d.size() == 6 + view.m, "update must hold 6 or 6 + modes values");
        F g2(6), p2(view.m);
        std::memcpy(g2.mutable_data(), g.data(), 24);
        std::memcpy(p2.mutable_data(), p.data(), sizeof(float) * view.m);
        api->update(g2.mutable_data(), p2.mutable_data(), static_cast<int>(d.size()) - 6, d.data());
        return py::make_tuple(g2, p2);
    }
    py::tuple fit_landmarks(F landmarks, F rotation) const {
        expect(landmarks.size() == 2 * view.n && rotation.size() == 3, "landmarks must be planar (2n,), rotation (3,)");
        F g(6), p(view.m);
        float *gd = g.mutable_data(), *pd = p.mutable_data();
        const float *l = landmarks.data(), *r = rotation.data();
        {
            py::gil_scoped_release release;
            api->fit_landmarks(view, l, r, gd, pd);
        }
        return py::make_tuple(g, p);
    }
    // Similarities between the image and the reference frame of a scale: the present shape, upright, at `scale` px/mm.
    py::tuple reference_frame(F shape, F p, float scale) const {
        expect(shape.size() == 2 * view.n && p.size() == view.m, "shape must be planar (2n,), params_local (m,)");
        const int n = view.n;
        std::vector<float> memory(10 * static_cast<size_t>(n));
        float *upright = memory.data(), *from = upright + 2 * n, *to = from + 2 * n, *scratch = to + 2 * n;
        const float g[6] = {scale, 0.f, 0.f, 0.f, 0.f, 0.f};
        api->project(view, g, p.data(), upright);
        for (int i = 0; i < n; ++i) {
            from[2 * i] = shape.data()[i], from[2 * i + 1] = shape.data()[n + i];
            to[2 * i] = upright[i], to[2 * i + 1] = upright[n + i];
        }
        float a[2][2];
        align_similarity(from, to, n, scratch, a);
        const double d = 1.0 / (double(a[0][0]) * a[1][1] - double(a[0][1]) * a[1][0]);
        const float inverse[2][2] = {{static_cast<float>(a[1][1] * d), static_cast<float>(-a[0][1] * d)},
                                     {static_cast<float>(-a[1][0] * d), static_cast<float>(a[0][0] * d)}};
        F to_reference({2, 2}), to_image({2, 2});
        std::memcpy(to_reference.mutable_data(), a, sizeof a);
        std::memcpy(to_image.mutable_data(), inverse, sizeof inverse);
        return py::make_tuple(to_reference, to_image);
    }
    // Updates g and p in place.
    float rlms(F responses, Array<uint8_t> visible, std::optional<F> weights, F base, F kernel, F i2r, F r2i, F g, F p, bool rigid,
               int iterations, float regularisation, float sigma, std::optional<F> likelihoods) const {
        check(g, p);
        const int n = view.n;
        expect(responses.ndim() == 3, "responses must be (n, w, 16)");
        const int w = static_cast<int>(responses.shape(1));
        check_maps(responses, n, w);
        expect(visible.size() == n && base.size() == 2 * n && i2r.size() == 4 && r2i.size() == 4, "visible (n,), base (2n,), 2x2 maps");
        expect(kernel.size() == 10 * w * kMapPitch, "kernel must be (10 w, 16)");
        expect(!weights || weights->size() == n, "weights must be (n,)");
        expect(!likelihoods || likelihoods->size() == n, "likelihoods must be (n,)");
        const Rlms task{view, responses.data(), visible.data(), weights ? weights->data() : nullptr, base.data(), kernel.data(),
                        i2r.data(), r2i.data(), w, iterations, rigid, regularisation, sigma,
                        likelihoods ? likelihoods->mutable_data() : nullptr};
        float *gd = g.mutable_data(), *pd = p.mutable_data();
        py::gil_scoped_release release;
        return api->rlms(task, gd, pd);
    }

    Shape view;

  private:
    F mean_, basis_t_, eigenvalues_;
};

class CcnfBank {
  public:
    CcnfBank(Array<int32_t> landmarks, F weights, F bias, F sums, F alpha2, int points)
        : landmarks_(landmarks), weights_(weights), bias_(bias), sums_(sums), alpha2_(alpha2), points_(points) {
        expect(weights.ndim() == 3 && weights.shape(2) == 121, "weights must be (experts, neurons, 121)");
        experts_ = static_cast<int>(weights.shape(0)), neurons_ = static_cast<int>(weights.shape(1));
        expect(landmarks.size() == experts_ && bias.size() == weights.shape(0) * weights.shape(1) && sums.size() == bias.size() &&
                   alpha2.size() == bias.size(),
               "one bias, sum and alpha per neuron");
        std::vector<bool> claimed(points);
        for (int i = 0; i < experts_; ++i) {
            const int l = landmarks.data()[i];
            expect(l >= 0 && l < points && !claimed[l], "landmark out of range, or twice");
            claimed[l] = true;
        }
    }
    void responses(const py::array_t<uint8_t>& grey, F shape, float a, float b, int w, F sigma, F out, int threads) const {
        const Grey g = grey_view(grey);
        check_maps(out, points_, w);
        expect(shape.size() == 2 * points_, "shape must be planar (2n,)");
        const int ww = w * w;
        const bool diagonal = sigma.ndim() == 1;
        expect(sigma.size() == static_cast<py::ssize_t>(experts_) * (diagonal ? 1 : ww * ww),
               "sigma must be (experts, w*w, w*w), or (experts,) for multiples of the identity");
        const float *xy = shape.data(), *sg = sigma.data();
        float* o = out.mutable_data();
        py::gil_scoped_release release;
        Pool::instance().run(experts_, threads, [&](int i) {
            const int l = landmarks_.data()[i];
            const size_t k = static_cast<size_t>(i) * neurons_;
            const Ccnf e{weights_.data() + k * 121, bias_.data() + k, sums_.data() + k, alpha2_.data() + k,
                         diagonal ? nullptr : sg + static_cast<size_t>(i) * ww * ww, diagonal ? sg[i] : 0.f, neurons_};
            api->ccnf(g, xy[l], xy[points_ + l], {a, b}, w, e, o + static_cast<size_t>(l) * w * kMapPitch);
        });
    }

  private:
    Array<int32_t> landmarks_;
    F weights_, bias_, sums_, alpha2_;
    int points_, experts_, neurons_;
};

// One task: an expert's layers and the one or two (landmark, flip) areas it serves.
class CenBank {
  public:
    explicit CenBank(int points) : points_(points), claimed_(points) {}

    void add(const std::vector<std::tuple<F, F, int>>& layers, const std::vector<std::pair<int, bool>>& targets) {
        expect(!layers.empty() && layers.size() <= 16 && !targets.empty() && targets.size() <= 2, "1 to 16 layers, 1 or 2 targets");
        Task t;
        py::ssize_t inputs = 122;
        for (size_t i = 0; i < layers.size(); ++i) {
            const auto& [weights, bias, activation] = layers[i];
            expect(weights.ndim() == 2 && weights.shape(1) == inputs && bias.size() == weights.shape(0), "layer sizes do not chain");
            expect(weights.shape(0) <= 4096, "layer too wide");
            inputs = weights.shape(0);
            // Column 0 of the first layer multiplies the constant 1: the caller has folded it into the bias.
            const int skip = i == 0;
            t.layers.push_back({weights.data() + skip, bias.data(), static_cast<int>(weights.shape(0)),
                                static_cast<int>(weights.shape(1)) - skip, static_cast<int>(weights.shape(1)), activation});
            keep_.push_back(weights), keep_.push_back(bias);
        }
        expect(inputs == 1, "the last layer must have one output");
        for (const auto& [landmark, flip] : targets) {
            claim(landmark);
            t.targets.push_back({landmark, flip});
        }
        tasks_.push_back(std::move(t));
    }
    void responses(const py::array_t<uint8_t>& grey, F shape, float a, float b, int w, F out, int threads) const {
        const Grey g = grey_view(grey);
        check_maps(out, points_, w);
        expect(shape.size() == 2 * points_, "shape must be planar (2n,)");
        const float* xy = shape.data();
        float* o = out.mutable_data();
        py::gil_scoped_release release;
        Pool::instance().run(static_cast<int>(tasks_.size()), threads, [&](int i) {
            const Task& t = tasks_[i];
            Source sources[2];
            for (size_t s = 0; s < t.targets.size(); ++s) {
                const int l = t.targets[s].first;
                sources[s] = {xy[l], xy[points_ + l], t.targets[s].second, o + static_cast<size_t>(l) * w * kMapPitch};
            }
            api->cen(g, {a, b}, w, t.layers.data(), static_cast<int>(t.layers.size()), sources, static_cast<int>(t.targets.size()));
        });
    }

  private:
    struct Task {
        std::vector<Dense> layers;
        std::vector<std::pair<int, bool>> targets;
    };
    // Tasks run in parallel: two of them must not write the same map.
    void claim(int landmark) {
        expect(landmark >= 0 && landmark < points_, "landmark out of range");
        expect(!claimed_[landmark], "landmark already has an expert");
        claimed_[landmark] = true;
    }
    int points_;
    std::vector<bool> claimed_;
    std::vector<Task> tasks_;
    std::vector<F> keep_;
};

class SvrBank {
  public:
    explicit SvrBank(int points) : points_(points), claimed_(points) {}

    void add(int landmark, const std::vector<std::tuple<F, float, float, int>>& modalities) {
        expect(landmark >= 0 && landmark < points_ && modalities.size() <= 8, "landmark out of range or too many modalities");
        expect(!claimed_[landmark], "landmark already has an expert");
        claimed_[landmark] = true;
        Task t{landmark, {}};
        for (const auto& [weights, scaling, bias, kind] : modalities) {
            expect(weights.size() == 121, "templates must be 11 x 11");
            t.modalities.push_back({weights.data(), scaling, bias, kind});
            keep_.push_back(weights);
        }
        tasks_.push_back(std::move(t));
    }
    void responses(const py::array_t<uint8_t>& grey, F shape, float a, float b, int w, F out, int threads) const {
        const Grey g = grey_view(grey);
        check_maps(out, points_, w);
        expect(shape.size() == 2 * points_, "shape must be planar (2n,)");
        const float* xy = shape.data();
        float* o = out.mutable_data();
        py::gil_scoped_release release;
        Pool::instance().run(static_cast<int>(tasks_.size()), threads, [&](int i) {
            const Task& t = tasks_[i];
            api->svr(g, xy[t.landmark], xy[points_ + t.landmark], {a, b}, w, t.modalities.data(),
                     static_cast<int>(t.modalities.size()), o + static_cast<size_t>(t.landmark) * w * kMapPitch);
        });
    }

  private:
    struct Task {
        int landmark;
        std::vector<Svr> modalities;
    };
    int points_;
    std::vector<bool> claimed_;
    std::vector<Task> tasks_;
    std::vector<F> keep_;
};

class ValidatorView {
  public:
    ValidatorView(int rows, int cols, float min_x, float min_y, Array<int32_t> vertices, Array<int32_t> pixel_index,
                  Array<int32_t> pixel_triangle, F alpha, F beta, F mean, F deviation, int points)
        : vertices_(vertices), pixel_index_(pixel_index), pixel_triangle_(pixel_triangle), alpha_(alpha), beta_(beta), mean_(mean),
          deviation_(deviation) {
        expect(rows > 0 && cols > 0 && rows <= 4096 && cols <= 4096, "crop must be 1 to 4096 px wide and high");
        const auto t = vertices.size() / 3, p = pixel_index.size();
        expect(vertices.size() == 3 * t && alpha.size() == 3 * t && beta.size() == 3 * t, "triangles, alpha, beta must be (t, 3)");
        expect(pixel_triangle.size() == p && mean.size() == p && deviation.size() == p && p > 0, "per-pixel arrays must match the mask");
        for (py::ssize_t i = 0; i < vertices.size(); ++i)
            expect(vertices.data()[i] >= 0 && vertices.data()[i] < points, "triangle vertex out of range");
        for (py::ssize_t i = 0; i < p; ++i)
            expect(pixel_index.data()[i] >= 0 && pixel_index.data()[i] < rows * cols && pixel_triangle.data()[i] >= 0 &&
                       pixel_triangle.data()[i] < t,
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
    void reserve(py::ssize_t floats) {
        expect(floats <= py::ssize_t(1) << 26, "network too large");
        largest_ = std::max(largest_, static_cast<int>(floats));
    }
    void push(Layer layer, F a, F b) {
        expect(layers_.size() < 32, "too many layers");
        layers_.push_back(layer), keep_.push_back(a), keep_.push_back(b);
    }
    Array<int32_t> vertices_, pixel_index_, pixel_triangle_;
    F alpha_, beta_, mean_, deviation_;
    Warp warp_;
    std::vector<Layer> layers_;
    std::vector<F> keep_;
    int rows_, cols_, pitch_, maps_, largest_ = 0;
};

Array<uint8_t> to_grey(const py::array_t<uint8_t>& bgr) {
    expect(bgr.ndim() == 3 && bgr.shape(2) >= 3 && bgr.strides(2) == 1, "image must be (rows, cols, 3 or 4) uint8 BGR");
    const auto rows = bgr.shape(0), cols = bgr.shape(1), step = bgr.strides(1), stride = bgr.strides(0);
    Array<uint8_t> out({rows, cols});
    const uint8_t* in = bgr.data();
    uint8_t* o = out.mutable_data();
    py::gil_scoped_release release;
    for (py::ssize_t y = 0; y < rows; ++y) {
        const uint8_t* row = in + y * stride;
        for (py::ssize_t x = 0; x < cols; ++x) {
            const uint8_t* p = row + x * step;
            // OpenCV 4's fixed-point weights of ITU-R BT.601.
            o[y * cols + x] = static_cast<uint8_t>((3735 * p[0] + 19235 * p[1] + 9798 * p[2] + 16384) >> 15);
        }
    }
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
Array<uint8_t> warp_inverse_u8(const py::array_t<uint8_t>& image, py::array_t<double> matrix, int width, int height) {
    expect(image.ndim() == 3 && image.shape(2) >= 1 && image.shape(2) <= 4 && (image.shape(2) == 1 || image.strides(2) == 1),
           "image must be (rows, cols, channels) uint8");
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
            const int x = X >> 5, y = Y >> 5, fx = X & 31, fy = Y & 31;
            uint8_t* q = o + (static_cast<size_t>(v) * width + u) * ch;
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

py::tuple head_pose(py::array_t<double, py::array::c_style | py::array::forcecast> points,
                    py::array_t<double, py::array::c_style | py::array::forcecast> pixels, std::array<double, 4> camera,
                    std::array<double, 3> rvec, std::array<double, 3> tvec) {
    expect(points.ndim() == 2 && points.shape(1) == 3 && pixels.ndim() == 2 && pixels.shape(1) == 2 && points.shape(0) == pixels.shape(0),
           "points must be (n, 3), pixels (n, 2)");
    py::array_t<double> R({3, 3}), t(3);
    double *Rd = R.mutable_data(), *td = t.mutable_data();
    pyclnf::rodrigues(rvec.data(), Rd);
    for (int i = 0; i < 3; ++i) td[i] = tvec[i];
    const int n = static_cast<int>(points.shape(0));
    const double *X = points.data(), *uv = pixels.data();
    {
        py::gil_scoped_release release;
        pyclnf::solve_pnp(n, X, uv, camera.data(), Rd, td);
    }
    return py::make_tuple(R, t);
}

// inv(2 (alpha_sum I + sum_b beta_b C_b)) for each expert.
F ccnf_covariances(py::array_t<double, py::array::c_style | py::array::forcecast> alpha_sums,
                   py::array_t<double, py::array::c_style | py::array::forcecast> betas, F components, int threads) {
    expect(alpha_sums.ndim() == 1 && betas.ndim() == 2 && components.ndim() == 3 && betas.shape(0) == alpha_sums.shape(0) &&
               betas.shape(1) == components.shape(0) && components.shape(1) == components.shape(2),
           "alpha_sums (e,), betas (e, b), components (b, n, n)");
    expect(components.shape(1) <= kLargestWindow * kLargestWindow, "windows go up to 15");
    const int experts = static_cast<int>(alpha_sums.size()), b = static_cast<int>(betas.shape(1)), n = static_cast<int>(components.shape(1));
    const size_t area = static_cast<size_t>(n) * n;
    F out({experts, n, n});
    float* o = out.mutable_data();
    const double *alphas = alpha_sums.data(), *weights = betas.data();
    const float* c = components.data();
    py::gil_scoped_release release;
    Pool::instance().run(experts, threads, [&](int e) {
        std::vector<double> m(area);
        for (int k = 0; k < b; ++k)
            for (size_t i = 0; i < area; ++i) m[i] += 2.0 * weights[e * b + k] * c[k * area + i];
        for (int i = 0; i < n; ++i) m[static_cast<size_t>(i) * n + i] += 2.0 * alphas[e];
        api->invert_spd(m.data(), n);
        for (size_t i = 0; i < area; ++i) o[e * area + i] = static_cast<float>(m[i]);
    });
    return out;
}

F align(F source, F target) {
    expect(source.ndim() == 2 && source.shape(1) == 2 && source.shape(0) >= 2 && target.ndim() == 2 && target.shape(1) == 2 &&
               source.shape(0) == target.shape(0),
           "two equal sets of at least two points are needed");
    const int n = static_cast<int>(source.shape(0));
    std::vector<float> scratch(4 * static_cast<size_t>(n));
    F out({2, 2});
    float a[2][2];
    align_similarity(source.data(), target.data(), n, scratch.data(), a);
    std::memcpy(out.mutable_data(), a, sizeof a);
    return out;
}

F sgemm(F a, F b) {
    expect(a.ndim() == 2 && b.ndim() == 2 && a.shape(1) == b.shape(0), "a must be (m, k), b (k, n)");
    F c({a.shape(0), b.shape(1)});
    api->sgemm(static_cast<int>(a.shape(0)), static_cast<int>(b.shape(1)), static_cast<int>(a.shape(1)), a.data(), b.data(), c.mutable_data());
    return c;
}

}  // namespace

PYBIND11_MODULE(_core, m) {
    api = supported().back();
    m.def("instruction_sets", [] {
        std::vector<std::string> names;
        for (const Api* a : supported()) names.push_back(short_name(a));
        return names;
    });
    m.def("instruction_set", [] { return short_name(api); });
    m.def("use_instruction_set", [](const std::string& name) {
        for (const Api* a : supported())
            if (short_name(a) == name) {
                api = a;
                return;
            }
        throw py::value_error("this machine does not support " + name);
    });
    m.def("to_grey", &to_grey);
    m.def("sample_area", &sample_area);
    m.def("warp_inverse_u8", &warp_inverse_u8);
    m.def("solve_pnp", &head_pose);
    m.def("align_similarity", &align);
    m.def("ccnf_covariances", &ccnf_covariances);
    m.def("sgemm", &sgemm);
    py::class_<ShapeModel>(m, "ShapeModel")
        .def(py::init<F, F, F>())
        .def("shape_3d", &ShapeModel::shape_3d)
        .def("project", &ShapeModel::project)
        .def("jacobian", &ShapeModel::jacobian)
        .def("update", &ShapeModel::update)
        .def("fit_landmarks", &ShapeModel::fit_landmarks)
        // What is written in place must not be converted: the result would go to a copy.
        .def("reference_frame", &ShapeModel::reference_frame)
        .def("rlms", &ShapeModel::rlms, "responses"_a, "visible"_a, "weights"_a, "base"_a, "kernel"_a, "to_reference"_a, "to_image"_a,
             "params_global"_a.noconvert(), "params_local"_a.noconvert(), "rigid"_a, "iterations"_a, "regularisation"_a, "sigma"_a,
             "likelihoods"_a.noconvert());
    py::class_<CcnfBank>(m, "CcnfBank")
        .def(py::init<Array<int32_t>, F, F, F, F, int>())
        .def("responses", &CcnfBank::responses, "grey"_a, "shape"_a, "a"_a, "b"_a, "window"_a, "sigma"_a, "out"_a.noconvert(),
             "threads"_a);
    py::class_<CenBank>(m, "CenBank").def(py::init<int>()).def("add", &CenBank::add)
        .def("responses", &CenBank::responses, "grey"_a, "shape"_a, "a"_a, "b"_a, "window"_a, "out"_a.noconvert(), "threads"_a);
    py::class_<SvrBank>(m, "SvrBank").def(py::init<int>()).def("add", &SvrBank::add)
        .def("responses", &SvrBank::responses, "grey"_a, "shape"_a, "a"_a, "b"_a, "window"_a, "out"_a.noconvert(), "threads"_a);
    py::class_<ValidatorView>(m, "ValidatorView")
        .def(py::init<int, int, float, float, Array<int32_t>, Array<int32_t>, Array<int32_t>, F, F, F, F, int>())
        .def("add_convolution", &ValidatorView::add_convolution)
        .def("add_max_pool", &ValidatorView::add_max_pool)
        .def("add_fully_connected", &ValidatorView::add_fully_connected)
        .def("crop", &ValidatorView::crop)
        .def("forward", &ValidatorView::forward);
}
