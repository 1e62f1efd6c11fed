// Shape model: projection, parameters, mean shift, alignment, head pose.
#include <algorithm>
#include <array>
#include <optional>

#include "pnp.hpp"
#include "similarity.hpp"
#include "binding.hpp"

namespace pyclnf {

using namespace py::literals;

namespace {

class ShapeModel {
  public:
    ShapeModel(F mean, F basis_t, F eigenvalues) : mean_(mean), basis_t_(basis_t), eigenvalues_(eigenvalues) {
        expect(basis_t.ndim() == 2 && mean.ndim() == 1 && eigenvalues.ndim() == 1, "mean (3n,), basis_t (m, 3n), eigenvalues (m,)");
        const auto m = basis_t.shape(0), n3 = basis_t.shape(1);
        expect(mean.size() == n3 && n3 % 3 == 0 && eigenvalues.size() == m, "mean (3n,), basis_t (m, 3n), eigenvalues (m,)");
        expect(m <= kMostModes && n3 / 3 <= kMostPoints && n3 > 0, "at most 122 modes and 512 points");
        basis_.resize(static_cast<size_t>(m * n3));
        for (py::ssize_t k = 0; k < m; ++k)
            for (py::ssize_t i = 0; i < n3; ++i) basis_[i * m + k] = basis_t_.data()[k * n3 + i];
        view = {static_cast<int>(n3 / 3), static_cast<int>(m), mean_.data(), basis_t_.data(), basis_.data(), eigenvalues_.data()};
    }

    void check(const py::array& g, const py::array& p) const {
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
        F out({2 * view.n, rigid ? 6 : 6 + view.m});
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
    // The shape in the image, its similarities with the reference frame of a scale (the shape upright, at `scale` px/mm), the nearest
    // of the views, and the box around the points.
    py::tuple look(F g, F p, float scale, F centres) const {
        check(g, p);
        expect(centres.ndim() == 2 && centres.shape(1) == 3 && centres.shape(0) > 0, "centres must be (views, 3)");
        F shape = project(g, p);
        const py::tuple frame = reference_frame(shape, p, scale);
        const float *c = centres.data(), *rotation = g.data() + 1, *x = shape.data(), *y = x + view.n;
        int nearest = 0;
        float least = 0.f;
        for (int v = 0; v < centres.shape(0); ++v) {
            float distance = 0.f;
            for (int i = 0; i < 3; ++i) distance += (c[3 * v + i] - rotation[i]) * (c[3 * v + i] - rotation[i]);
            if (v == 0 || distance < least) nearest = v, least = distance;
        }
        const auto [x0, x1] = std::minmax_element(x, x + view.n);
        const auto [y0, y1] = std::minmax_element(y, y + view.n);
        return py::make_tuple(shape, frame[0], frame[1], nearest, py::make_tuple(*x0, *y0, *x1, *y1));
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
    float rlms(F responses, Array<uint8_t> visible, std::optional<F> weights, F base, F kernel, F i2r, F r2i, Out g, Out p, bool rigid,
               int iterations, float regularisation, float sigma, std::optional<Out> likelihoods) const {
        check(g, p);
        const int n = view.n;
        expect(responses.ndim() == 3, "responses must be (n, w, 16)");
        const int w = static_cast<int>(responses.shape(1));
        check_maps(responses, n, w);
        expect(visible.size() == n && base.size() == 2 * n && i2r.size() == 4 && r2i.size() == 4, "visible (n,), base (2n,), 2x2 maps");
        expect(kernel.size() == 10 * w * kMapPitch, "kernel must be (10 w, 16)");
        expect(!weights || weights->size() == n, "weights must be (n,)");
        expect(!likelihoods || likelihoods->size() == n, "likelihoods must be (n,)");
        check_written(g), check_written(p);
        if (likelihoods) check_written(*likelihoods);
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
    std::vector<float> basis_;
};

F align(F source, F target) {
    expect(source.ndim() == 2 && source.shape(1) == 2 && source.shape(0) >= 2 && target.ndim() == 2 && target.shape(1) == 2 &&
               source.shape(0) == target.shape(0),
           "two equal sets of at least two points are needed");
    expect(source.shape(0) <= kLargestSide, "at most 2^24 points");
    const int n = static_cast<int>(source.shape(0));
    std::vector<float> scratch(4 * static_cast<size_t>(n));
    F out({2, 2});
    float a[2][2];
    align_similarity(source.data(), target.data(), n, scratch.data(), a);
    std::memcpy(out.mutable_data(), a, sizeof a);
    return out;
}

py::tuple head_pose(Doubles points,
                    Doubles pixels, std::array<double, 4> camera,
                    std::array<double, 3> rvec, std::array<double, 3> tvec) {
    expect(points.ndim() == 2 && points.shape(1) == 3 && pixels.ndim() == 2 && pixels.shape(1) == 2 && points.shape(0) == pixels.shape(0),
           "points must be (n, 3), pixels (n, 2)");
    expect(points.shape(0) <= kLargestSide, "at most 2^24 points");
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

}  // namespace

void bind_shape(py::module_& m) {
    m.def("align_similarity", &align);
    m.def("solve_pnp", &head_pose);
    py::class_<ShapeModel>(m, "ShapeModel")
        .def(py::init<F, F, F>())
        .def("shape_3d", &ShapeModel::shape_3d)
        .def("project", &ShapeModel::project)
        .def("jacobian", &ShapeModel::jacobian)
        .def("update", &ShapeModel::update)
        .def("fit_landmarks", &ShapeModel::fit_landmarks)
        .def("reference_frame", &ShapeModel::reference_frame)
        .def("look", &ShapeModel::look)
        // What is written in place must not be converted: the result would go to a copy.
        .def("rlms", &ShapeModel::rlms, "responses"_a, "visible"_a, "weights"_a, "base"_a, "kernel"_a, "to_reference"_a, "to_image"_a,
             "params_global"_a.noconvert(), "params_local"_a.noconvert(), "rigid"_a, "iterations"_a, "regularisation"_a, "sigma"_a,
             "likelihoods"_a.noconvert());
}

}  // namespace pyclnf
