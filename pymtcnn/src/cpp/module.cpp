// Python bindings: checks shapes, releases the interpreter lock, and divides the work among threads.
#include <pybind11/numpy.h>
#include <pybind11/pybind11.h>
#include <pybind11/stl.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <string>
#include <utility>
#include <vector>

#include "api.hpp"
#include "axis.hpp"
#include "dispatch.hpp"
#include "pool.hpp"
#include "scratch.hpp"
#include "testing.hpp"

namespace py = pybind11;
using namespace py::literals;
using namespace pymtcnn;
using native::Pool;

NATIVE_DECLARE(pymtcnn::Kernels, pymtcnn_kernels)
NATIVE_DECLARE(pymtcnn::Sampler, pymtcnn_sampler)

namespace {

// Floats of the widest maps of a strip: 256 KB, which stay in the second-level cache.
constexpr size_t kStripFloats = 64 * 1024;
constexpr int kFewestStripRows = 8;
constexpr int kVector = 16;       // floats of the longest vector
constexpr int kImageBlock = 256;  // images whose features are held at once
constexpr int kDenseBlock = 64;   // of these in one product

constexpr const Kernels* kKernels[] = NATIVE_TABLES(pymtcnn_kernels);
constexpr const Sampler* kSamplers[] = NATIVE_TABLES(pymtcnn_sampler);
size_t preferred = 0;  // what the module chose when it was loaded

struct InstructionSet {
    const Kernels* kernels;
    const Sampler* sampler;
    std::string name;
};

// Aligned, as plain loads read them; what is not is copied.
using F = py::array_t<float, py::array::c_style | py::detail::npy_api::NPY_ARRAY_ALIGNED_>;

void expect(bool ok, const char* what) {
    if (!ok) throw py::value_error(what);
}

InstructionSet choose(const std::string& name) {
    const size_t set = name.empty() ? preferred : native::find(name);
    return {kKernels[set], kSamplers[set], native::available()[set]};
}

// A frame (H, W, 3), BGR.
class Frame {
  public:
    explicit Frame(const py::array& a) {
        constexpr int needed = py::array::c_style | py::detail::npy_api::NPY_ARRAY_ALIGNED_;
        expect(a.ndim() == 3 && a.shape(2) == 3 && (a.flags() & needed) == needed, "frame must be (H, W, 3), C-contiguous and aligned");
        expect(a.shape(0) > 0 && a.shape(1) > 0 && a.shape(0) <= limit && a.shape(1) <= limit, "frame must be 1 to 2^24 px wide and high");
        bytes_ = py::isinstance<py::array_t<uint8_t>>(a);
        expect(bytes_ || py::isinstance<py::array_t<float>>(a), "frame must be uint8 or float32");
        data_ = a.data(), height = static_cast<int>(a.shape(0)), width = static_cast<int>(a.shape(1));
    }
    void sample(const Sampler& s, const Axis& x, const Axis& y, int first, int rows, float* out, ptrdiff_t plane) const {
        if (bytes_) s.bytes(static_cast<const uint8_t*>(data_), height, width, x, y, first, rows, out, plane);
        else s.floats(static_cast<const float*>(data_), height, width, x, y, first, rows, out, plane);
    }
    static constexpr py::ssize_t limit = py::ssize_t(1) << 24;
    int height, width;

  private:
    const void* data_;
    bool bytes_;
};

// A square to cut out; as in MTCNN's original, coordinates count from one and the last pixel belongs to the square.
struct Square {
    int left, top, side;
};

std::vector<Square> read_squares(const F& boxes) {
    expect(boxes.ndim() == 2 && boxes.shape(1) == 4, "boxes must be (n, 4)");
    std::vector<Square> squares;
    squares.reserve(boxes.shape(0));
    for (py::ssize_t i = 0; i < boxes.shape(0); ++i) {
        const float* b = boxes.data(i, 0);
        for (int k = 0; k < 4; ++k) expect(std::fabs(b[k]) <= Frame::limit, "boxes must be finite and within 2^24 px");
        expect(b[2] >= 0 && b[3] >= 0, "boxes must not have a negative size");
        squares.push_back({static_cast<int>(b[0]) - 1, static_cast<int>(b[1]) - 1, static_cast<int>(b[2]) + 1});
    }
    return squares;
}

void cut(const Frame& frame, const Sampler& sampler, const Square& s, int side, float* out, ptrdiff_t plane) {
    static thread_local Scratch scratch;
    int32_t* memory = scratch.get<int32_t>(2 * axis_words(side));
    const Axis x = build_axis(side, s.side, s.left, frame.width, 3, memory);
    const Axis y = build_axis(side, s.side, s.top, frame.height, 1, memory + axis_words(side));
    frame.sample(sampler, x, y, 0, side, out, plane);
}

ptrdiff_t plane_of(int rows, int columns) { return padded(rows * columns) + kVector; }

F crops(const py::array& image, const F& boxes, int side, const std::string& instruction_set) {
    const Frame frame(image);
    const auto squares = read_squares(boxes);
    expect(side > 0 && side <= 1024, "side must be 1 to 1024");
    const Sampler& sampler = *choose(instruction_set).sampler;
    const ptrdiff_t plane = plane_of(side, side);
    std::vector<float> memory(3 * plane + kVector);
    F out({static_cast<int>(squares.size()), 3, side, side});
    float* o = out.mutable_data();
    for (const Square& s : squares) {
        cut(frame, sampler, s, side, memory.data(), plane);
        for (int c = 0; c < 3; ++c, o += side * side) std::memcpy(o, memory.data() + c * plane, sizeof(float) * side * side);
    }
    return out;
}

F resize(const py::array& image, int height, int width, const std::string& instruction_set) {
    const Frame frame(image);
    expect(height > 0 && width > 0 && height <= 1 << 14 && width <= 1 << 14, "size must be 1 to 2^14");
    std::vector<int32_t> axes(axis_words(width) + axis_words(height));
    const Axis x = build_axis(width, frame.width, 0, frame.width, 3, axes.data());
    const Axis y = build_axis(height, frame.height, 0, frame.height, 1, axes.data() + axis_words(width));
    const ptrdiff_t plane = plane_of(height, width);
    std::vector<float> memory(3 * plane + kVector);
    frame.sample(*choose(instruction_set).sampler, x, y, 0, height, memory.data(), plane);
    F out({3, height, width});
    for (int c = 0; c < 3; ++c)
        std::memcpy(out.mutable_data(c, 0, 0), memory.data() + c * plane, sizeof(float) * height * width);
    return out;
}

class Network {
  public:
    Network(int inputs, const std::string& instruction_set) : set_(choose(instruction_set)), inputs_(inputs), maps_(inputs) {
        expect(inputs > 0 && inputs <= kMostMaps, "a network has 1 to 4096 input maps");
    }
    std::string instruction_set() const { return set_.name; }

    void add_convolution(F kernels, F bias) {
        expect(dense_.empty(), "no maps after a fully connected layer");
        expect(kernels.ndim() == 4 && kernels.shape(1) == maps_ && kernels.size() > 0, "kernels must be (outputs, inputs, rows, columns)");
        expect(bias.size() == kernels.shape(0) && kernels.shape(0) <= kMostMaps, "one bias for each of at most 4096 outputs");
        expect(kernels.shape(2) <= 64 && kernels.shape(3) <= 64, "kernels must be at most 64 x 64");
        const int outputs = static_cast<int>(kernels.shape(0));
        layers_.push_back({kConvolution, maps_, outputs, static_cast<int>(kernels.shape(2)), static_cast<int>(kernels.shape(3)), 1,
                           kernels.data(), bias.data()});
        keep_.push_back(kernels), keep_.push_back(bias);
        maps_ = outputs;
    }
    void add_rectifier(F slopes) {
        expect(slopes.ndim() == 1 && slopes.size() == maps_, "one slope for each map");
        keep_.push_back(slopes);
        if (dense_.empty()) layers_.push_back({kRectifier, maps_, maps_, 1, 1, 1, slopes.data(), nullptr});
        else expect(!dense_.back().slopes, "one rectifier for each layer"), dense_.back().slopes = slopes.data();
    }
    void add_max_pool(int size, int stride) {
        expect(dense_.empty(), "no maps after a fully connected layer");
        expect(size > 0 && size <= 64 && stride > 0 && stride <= size, "windows must be at most 64 px and not leave pixels out");
        layers_.push_back({kMaxPool, maps_, maps_, size, size, stride, nullptr, nullptr});
    }
    // Weights (outputs, inputs); inputs map by map, each map by rows.
    void add_fully_connected(F weights, F bias) {
        expect(weights.ndim() == 2 && weights.size() > 0 && bias.size() == weights.shape(0), "weights must be (outputs, inputs), bias (outputs,)");
        expect(weights.shape(0) <= kMostMaps && weights.shape(1) <= 1 << 20, "layer too large");
        expect(dense_.empty() ? weights.shape(1) % maps_ == 0 : weights.shape(1) == maps_, "inputs do not match the layer before");
        dense_.push_back({weights.data(), bias.data(), nullptr, static_cast<int>(weights.shape(0)), static_cast<int>(weights.shape(1))});
        keep_.push_back(weights), keep_.push_back(bias);
        maps_ = dense_.back().outputs;
    }

    // (n, inputs, rows, columns) -> (n, outputs, rows', columns')
    F run(F batch, int threads) const {
        expect(batch.ndim() == 4 && batch.shape(1) == inputs_, "batch must be (n, maps, rows, columns)");
        const int n = to_int(batch.shape(0)), rows = to_int(batch.shape(2)), columns = to_int(batch.shape(3));
        const Plan plan = prepare(rows, columns);
        const size_t size = static_cast<size_t>(rows) * columns;
        const float* in = batch.data();
        const auto fill = [&](int i, float* image, ptrdiff_t plane) {
            for (int c = 0; c < inputs_; ++c) std::memcpy(image + c * plane, in + (static_cast<size_t>(i) * inputs_ + c) * size, sizeof(float) * size);
        };
        if (!dense_.empty()) return features_to_outputs(n, rows, columns, plan, threads, fill);
        F out({n, maps_, plan.rows, plan.columns});
        float* o = out.mutable_data();
        const ptrdiff_t area = static_cast<ptrdiff_t>(plan.rows) * plan.columns;
        py::gil_scoped_release release;
        Pool::instance().run(n, threads, [&](int i) {
            forward(i, rows, columns, plan, fill, {o + i * maps_ * area, area, plan.columns, 1});
        });
        return out;
    }

    // The whole frame at several sizes (height, width) -> (outputs, all positions of all sizes).
    F levels(const py::array& image, const std::vector<std::pair<int, int>>& sizes, int threads) const {
        const Frame frame(image);
        expect(inputs_ == 3 && dense_.empty(), "levels are for a network of three input maps without fully connected layers");
        struct Level {
            int width;
            Axis x, y;
            ptrdiff_t start;
            int columns;
        };
        struct Strip {
            int level, first, rows, row;
            Plan plan;
        };
        std::vector<Level> levels;
        std::vector<Strip> strips;
        std::vector<std::vector<int32_t>> memory;
        ptrdiff_t total = 0;
        const int step = total_stride();
        for (const auto& [height, width] : sizes) {
            expect(height > 0 && width > 0 && height <= Frame::limit && width <= Frame::limit, "sizes must be 1 to 2^24 px");
            memory.emplace_back(axis_words(width) + axis_words(height));
            int32_t* words = memory.back().data();
            const Axis x = build_axis(width, frame.width, 0, frame.width, 3, words);
            const Axis y = build_axis(height, frame.height, 0, frame.height, 1, words + axis_words(width));
            const auto [rows, columns] = output_size(height, width);
            const int each = strip_rows(width);
            for (int row = 0; row < rows; row += each) {
                // What these output rows see; the last strip ends with the level, as its last window may be clipped.
                const int seen = row + each < rows ? input_rows(each) : height - row * step;
                strips.push_back({static_cast<int>(levels.size()), row * step, seen, row, prepare(seen, width)});
            }
            levels.push_back({width, x, y, total, columns});
            total += static_cast<ptrdiff_t>(rows) * columns;
        }
        F out({static_cast<py::ssize_t>(maps_), static_cast<py::ssize_t>(total)});
        float* o = out.mutable_data();
        py::gil_scoped_release release;
        Pool::instance().run(static_cast<int>(strips.size()), threads, [&](int i) {
            const Strip& s = strips[i];
            const Level& l = levels[s.level];
            const auto fill = [&](int, float* to, ptrdiff_t plane) { frame.sample(*set_.sampler, l.x, l.y, s.first, s.rows, to, plane); };
            forward(0, s.rows, l.width, s.plan, fill, {o + l.start + static_cast<ptrdiff_t>(s.row) * l.columns, total, l.columns, 1});
        });
        return out;
    }

    // Squares of the frame, resized to `side` -> (n, outputs).
    F crops(const py::array& image, const F& boxes, int side, int threads) const {
        const Frame frame(image);
        const auto squares = read_squares(boxes);
        expect(inputs_ == 3 && !dense_.empty(), "crops are for a network of three input maps with fully connected layers");
        const Plan plan = prepare(side, side);
        const auto fill = [&](int i, float* to, ptrdiff_t plane) { cut(frame, *set_.sampler, squares[i], side, to, plane); };
        F out = features_to_outputs(static_cast<int>(squares.size()), side, side, plan, threads, fill);
        return out.reshape({static_cast<py::ssize_t>(squares.size()), static_cast<py::ssize_t>(maps_)});
    }

  private:
    static constexpr int kMostMaps = 4096;
    struct Dense {
        const float *weights, *bias, *slopes;
        int outputs, inputs;
    };
    struct Plan {
        int rows, columns;  // of the trunk's output
        size_t largest;     // floats of the largest maps on the way
    };

    static int to_int(py::ssize_t v) {
        expect(v <= Frame::limit, "at most 2^24 in each dimension");
        return static_cast<int>(v);
    }
    int feature_maps() const { return layers_.empty() ? inputs_ : layers_.back().outputs; }

    Plan prepare(int rows, int columns) const {
        size_t largest = static_cast<size_t>(inputs_) * plane_size(rows, columns);
        int pitch = columns;
        for (const Layer& l : layers_) {
            expect(rows >= l.rows && columns >= l.columns, "image smaller than the network looks at");
            if (l.kind == kMaxPool) rows = pooled(rows, l), pitch = columns = pooled(columns, l);
            else rows -= l.rows - 1, columns -= l.columns - 1;
            largest = std::max(largest, l.outputs * plane_size(rows, pitch));
        }
        expect(rows > 0 && columns > 0, "image is empty");
        // The kernels' indices are 32 bits long.
        expect(largest < size_t(1) << 30, "image too large");
        expect(dense_.empty() || static_cast<py::ssize_t>(feature_maps()) * rows * columns == dense_[0].inputs,
               "image size does not match the fully connected layer");
        return {rows, columns, largest};
    }
    static size_t plane_size(int rows, int pitch) { return (static_cast<size_t>(rows) * pitch + 2 * kVector) / kVector * kVector; }
    static int pooled(int length, const Layer& l) { return (length - l.rows + l.stride - 1) / l.stride + 1; }

    int total_stride() const {
        int step = 1;
        for (const Layer& l : layers_) step *= l.stride;
        return step;
    }
    int input_rows(int rows) const {
        for (auto l = layers_.rbegin(); l != layers_.rend(); ++l) rows = (rows - 1) * l->stride + l->rows;
        return rows;
    }
    std::pair<int, int> output_size(int height, int width) const {
        for (const Layer& l : layers_) {
            expect(height >= l.rows && width >= l.columns, "level smaller than the network looks at");
            height = l.kind == kMaxPool ? pooled(height, l) : height - l.rows + 1;
            width = l.kind == kMaxPool ? pooled(width, l) : width - l.columns + 1;
        }
        return {height, width};
    }
    // Output rows whose maps fit the cache; depends on the width only.
    int strip_rows(int width) const {
        int rows = kFewestStripRows;
        while (rows < 4096 && prepare(input_rows(rows + 1), width).largest <= kStripFloats) ++rows;
        return rows;
    }

    template <typename Fill>
    void forward(int i, int rows, int columns, const Plan& plan, const Fill& fill, const Destination& out) const {
        static thread_local Scratch scratch;
        const ptrdiff_t plane = plane_of(rows, columns);
        float* image = scratch.get<float>(inputs_ * plane + kVector);
        fill(i, image, plane);
        set_.kernels->trunk(layers_.data(), static_cast<int>(layers_.size()), image, inputs_, rows, columns, plane, plan.largest, out);
    }

    template <typename Fill>
    F features_to_outputs(int n, int rows, int columns, const Plan& plan, int threads, const Fill& fill) const {
        F out({n, maps_, 1, 1});
        float* o = out.mutable_data();
        const int block = std::min(n, kImageBlock), ld = padded(std::max(block, 1));
        int widest = 0;
        for (const Dense& d : dense_) widest = std::max({widest, d.inputs, d.outputs});
        py::gil_scoped_release release;
        const size_t buffer = static_cast<size_t>(widest) * ld + kVector;
        std::vector<float> memory(2 * buffer);
        for (int start = 0; start < n; start += block) {
            const int count = std::min(block, n - start);
            float* features = memory.data();
            const ptrdiff_t pitch = static_cast<ptrdiff_t>(plan.columns) * ld;
            Pool::instance().run(count, threads, [&](int i) {
                forward(start + i, rows, columns, plan, fill, {features + i, plan.rows * pitch, pitch, ld});
            });
            Pool::instance().run((count + kDenseBlock - 1) / kDenseBlock, threads, [&](int b) {
                const int first = b * kDenseBlock, some = std::min(kDenseBlock, count - first);
                float *in = features + first, *to = features + buffer + first;
                for (const Dense& d : dense_) {
                    set_.kernels->dense(d.weights, d.bias, d.slopes, d.outputs, d.inputs, in, some, ld, to);
                    std::swap(in, to);
                }
                for (int i = 0; i < some; ++i)
                    for (int u = 0; u < maps_; ++u) o[static_cast<size_t>(start + first + i) * maps_ + u] = in[static_cast<size_t>(u) * ld + i];
            });
        }
        return out;
    }

    InstructionSet set_;
    int inputs_, maps_;
    std::vector<Layer> layers_;
    std::vector<Dense> dense_;
    std::vector<F> keep_;
};

}  // namespace

PYBIND11_MODULE(_core, m) {
    m.doc() = "The compiled backend: the networks, and the resizes in front of them.";
    preferred = native::chosen();
    m.def("instruction_sets", &native::available);
    m.def("instruction_set", [] { return native::available()[preferred]; });
    native::bind_testing(m);
    m.def("resize", &resize, "frame"_a, "height"_a, "width"_a, "instruction_set"_a = "");
    m.def("crops", &crops, "frame"_a, "boxes"_a, "side"_a, "instruction_set"_a = "");
    py::class_<Network>(m, "Network")
        .def(py::init<int, const std::string&>(), "inputs"_a, "instruction_set"_a = "")
        .def_property_readonly("instruction_set", &Network::instruction_set)
        .def("add_convolution", &Network::add_convolution, "kernels"_a, "bias"_a)
        .def("add_rectifier", &Network::add_rectifier, "slopes"_a)
        .def("add_max_pool", &Network::add_max_pool, "size"_a, "stride"_a)
        .def("add_fully_connected", &Network::add_fully_connected, "weights"_a, "bias"_a)
        .def("run", &Network::run, "batch"_a, "threads"_a = 1)
        .def("levels", &Network::levels, "frame"_a, "sizes"_a, "threads"_a = 1)
        .def("crops", &Network::crops, "frame"_a, "boxes"_a, "side"_a, "threads"_a = 1);
}
