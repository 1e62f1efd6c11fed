// Patch experts: banks of CCNF, CEN and SVR experts of one view, evaluated in parallel.
#include <tuple>
#include <utility>

#include "binding.hpp"

namespace pyclnf {

using namespace py::literals;

namespace {

// What banks share: a landmark has one expert at most, as maps are written in parallel, and what a search gets is checked.
class Bank {
  protected:
    struct Search {
        Grey grey;
        const float *x, *y;  // of the landmarks
        float* maps;
        size_t size;  // of a map, floats
    };

    explicit Bank(int points) : points_(points) {
        expect(points >= 0, "the number of landmarks must not be negative");
        claimed_.resize(points);
    }
    void claim(int landmark) {
        expect(landmark >= 0 && landmark < points_, "landmark out of range");
        expect(!claimed_[landmark], "landmark already has an expert");
        claimed_[landmark] = true;
    }
    Search search(const py::array_t<uint8_t>& grey, const F& shape, int w, Out& out) const {
        const Grey g = grey_view(grey);
        check_maps(out, points_, w);
        check_written(out);
        expect(shape.size() == 2 * points_, "shape must be planar (2n,)");
        return {g, shape.data(), shape.data() + points_, out.mutable_data(), static_cast<size_t>(w) * kMapPitch};
    }

  private:
    int points_;
    std::vector<bool> claimed_;
};

class CcnfBank : Bank {
  public:
    CcnfBank(Array<int32_t> landmarks, F weights, F bias, F sums, F alpha2, int points)
        // A copy of the indices: what was checked must stay as it is.
        : Bank(points), landmarks_(landmarks.data(), landmarks.data() + landmarks.size()), weights_(weights), bias_(bias), sums_(sums),
          alpha2_(alpha2) {
        expect(weights.ndim() == 3 && weights.shape(2) == 121, "weights must be (experts, neurons, 121)");
        experts_ = static_cast<int>(weights.shape(0)), neurons_ = static_cast<int>(weights.shape(1));
        expect(landmarks.size() == experts_ && bias.size() == weights.shape(0) * weights.shape(1) && sums.size() == bias.size() &&
                   alpha2.size() == bias.size(),
               "one bias, sum and alpha per neuron");
        for (const int landmark : landmarks_) claim(landmark);
    }
    void responses(const py::array_t<uint8_t>& grey, F shape, float a, float b, int w, F sigma, Out out, int threads) const {
        const Search s = search(grey, shape, w, out);
        const int ww = w * w;
        const bool diagonal = sigma.ndim() == 1;
        expect(sigma.size() == static_cast<py::ssize_t>(experts_) * (diagonal ? 1 : ww * ww),
               "sigma must be (experts, w*w, w*w), or (experts,) for multiples of the identity");
        const float* sg = sigma.data();
        py::gil_scoped_release release;
        Pool::instance().run(experts_, threads, [&](int i) {
            const int l = landmarks_[i];
            const size_t k = static_cast<size_t>(i) * neurons_;
            const Ccnf e{weights_.data() + k * 121, bias_.data() + k, sums_.data() + k, alpha2_.data() + k,
                         diagonal ? nullptr : sg + static_cast<size_t>(i) * ww * ww, diagonal ? sg[i] : 0.f, neurons_};
            api->ccnf(s.grey, s.x[l], s.y[l], {a, b}, w, e, s.maps + l * s.size);
        });
    }

  private:
    std::vector<int32_t> landmarks_;
    F weights_, bias_, sums_, alpha2_;
    int experts_, neurons_;
};

// One task: an expert's layers and the one or two (landmark, flip) areas it serves.
class CenBank : Bank {
  public:
    explicit CenBank(int points) : Bank(points) {}

    void add(const std::vector<std::tuple<F, F, int>>& layers, const std::vector<std::pair<int, bool>>& targets) {
        expect(!layers.empty() && layers.size() <= kMostDenseLayers && !targets.empty() && targets.size() <= 2, "1 to 16 layers, 1 or 2 targets");
        Task t;
        py::ssize_t inputs = 122;
        for (size_t i = 0; i < layers.size(); ++i) {
            const auto& [weights, bias, activation] = layers[i];
            expect(weights.ndim() == 2 && weights.shape(1) == inputs && bias.size() == weights.shape(0), "layer sizes do not chain");
            expect(weights.shape(0) <= kWidestDense, "layer too wide");
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
    void responses(const py::array_t<uint8_t>& grey, F shape, float a, float b, int w, Out out, int threads) const {
        const Search s = search(grey, shape, w, out);
        py::gil_scoped_release release;
        Pool::instance().run(static_cast<int>(tasks_.size()), threads, [&](int i) {
            const Task& t = tasks_[i];
            Source sources[2];
            for (size_t k = 0; k < t.targets.size(); ++k) {
                const int l = t.targets[k].first;
                sources[k] = {s.x[l], s.y[l], t.targets[k].second, s.maps + l * s.size};
            }
            api->cen(s.grey, {a, b}, w, t.layers.data(), static_cast<int>(t.layers.size()), sources, static_cast<int>(t.targets.size()));
        });
    }

  private:
    struct Task {
        std::vector<Dense> layers;
        std::vector<std::pair<int, bool>> targets;
    };
    std::vector<Task> tasks_;
    std::vector<F> keep_;
};

class SvrBank : Bank {
  public:
    explicit SvrBank(int points) : Bank(points) {}

    void add(int landmark, const std::vector<std::tuple<F, float, float, int>>& modalities) {
        expect(modalities.size() <= kMostModalities, "too many modalities");
        claim(landmark);
        Task t{landmark, {}};
        for (const auto& [weights, scaling, bias, kind] : modalities) {
            expect(weights.size() == 121, "templates must be 11 x 11");
            t.modalities.push_back({weights.data(), scaling, bias, kind});
            keep_.push_back(weights);
        }
        tasks_.push_back(std::move(t));
    }
    void responses(const py::array_t<uint8_t>& grey, F shape, float a, float b, int w, Out out, int threads) const {
        const Search s = search(grey, shape, w, out);
        py::gil_scoped_release release;
        Pool::instance().run(static_cast<int>(tasks_.size()), threads, [&](int i) {
            const Task& t = tasks_[i];
            const size_t l = t.landmark;
            api->svr(s.grey, s.x[l], s.y[l], {a, b}, w, t.modalities.data(), static_cast<int>(t.modalities.size()),
                     s.maps + l * s.size);
        });
    }

  private:
    struct Task {
        int landmark;
        std::vector<Svr> modalities;
    };
    std::vector<Task> tasks_;
    std::vector<F> keep_;
};

// inv(2 (alpha_sum I + sum_b beta_b C_b)) for each expert.
F ccnf_covariances(Doubles alpha_sums,
                   Doubles betas, F components, int threads) {
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

}  // namespace

void bind_experts(py::module_& m) {
    m.def("ccnf_covariances", &ccnf_covariances);
    // Response maps are written in place, so they must not be converted.
    py::class_<CcnfBank>(m, "CcnfBank")
        .def(py::init<Array<int32_t>, F, F, F, F, int>())
        .def("responses", &CcnfBank::responses, "grey"_a, "shape"_a, "a"_a, "b"_a, "window"_a, "sigma"_a, "out"_a.noconvert(),
             "threads"_a);
    py::class_<CenBank>(m, "CenBank").def(py::init<int>()).def("add", &CenBank::add)
        .def("responses", &CenBank::responses, "grey"_a, "shape"_a, "a"_a, "b"_a, "window"_a, "out"_a.noconvert(), "threads"_a);
    py::class_<SvrBank>(m, "SvrBank").def(py::init<int>()).def("add", &SvrBank::add)
        .def("responses", &SvrBank::responses, "grey"_a, "shape"_a, "a"_a, "b"_a, "window"_a, "out"_a.noconvert(), "threads"_a);
}

}  // namespace pyclnf
