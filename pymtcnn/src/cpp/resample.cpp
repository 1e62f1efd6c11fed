// Bilinear resize of frames to normalised planes, bit for bit OpenCV's float form, compiled once per instruction set.
//
// Horizontal pass first, every product rounded before it is added (this file is compiled without fused multiply-add). As in
// kernels.cpp everything has internal linkage and no standard container is used.
#include "api.hpp"
#include "scratch.hpp"
#include "simd.hpp"
#include "table.hpp"

namespace {

using pymtcnn::Axis;

// OpenFace's networks were trained on (v - 127.5) / 128.
constexpr float kMean = 127.5f, kGain = 0.0078125f;

inline vf vfloat(vi v) { return __builtin_convertvector(v, vf); }

inline vi vload_int(const int32_t* p) {
    vi v;
    std::memcpy(&v, p, sizeof v);
    return v;
}

#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
// One load of four bytes gets the three channels of a pixel and a byte to drop, which must be readable.
inline void line(const uint8_t* row, const Axis& x, float* out, int pitch) {
    const vi byte = vi{} + 255;
    for (int j = 0; j < x.length; j += kLanes) {
        int32_t a[kLanes], b[kLanes];
        for (int i = 0; i < kLanes; ++i) {
            std::memcpy(a + i, row + x.low[j + i], 4);
            std::memcpy(b + i, row + x.high[j + i], 4);
        }
        const vi low = vload_int(a) & vload_int(x.low_mask + j), high = vload_int(b) & vload_int(x.high_mask + j);
        const vf near = vload(x.near + j), far = vload(x.far + j);
        vstore(out + j, vfloat((low >> 16) & byte) * near + vfloat((high >> 16) & byte) * far);
        vstore(out + pitch + j, vfloat((low >> 8) & byte) * near + vfloat((high >> 8) & byte) * far);
        vstore(out + 2 * pitch + j, vfloat(low & byte) * near + vfloat(high & byte) * far);
    }
}
#endif

template <typename T>
inline void line(const T* row, const Axis& x, float* out, int pitch) {
    for (int c = 0; c < 3; ++c)
        for (int j = 0; j < x.length; ++j) {
            const float low = x.low_mask[j] ? static_cast<float>(row[x.low[j] + 2 - c]) : 0.f;
            const float high = x.high_mask[j] ? static_cast<float>(row[x.high[j] + 2 - c]) : 0.f;
            out[c * pitch + j] = low * x.near[j] + high * x.far[j];
        }
}

template <typename T>
void resample(const T* frame, int height, int width, const Axis& x, const Axis& y, int first, int rows, float* out, ptrdiff_t plane) {
    static thread_local Scratch scratch;
    const int pitch = round_up(x.length, kLanes);
    const size_t values = static_cast<size_t>(width) * 3;
    float* top = scratch.get<float>(static_cast<size_t>(pitch) * 6 + values + 4);
    float* bottom = top + 3 * static_cast<size_t>(pitch);
    // The last row is read past its end, so it is read from a copy.
    T* last = reinterpret_cast<T*>(bottom + 3 * static_cast<size_t>(pitch));
    std::memcpy(last, frame + values * (height - 1), sizeof(T) * values);
    for (int c = 0; c < 4; ++c) last[values + c] = 0;
    const auto sample = [&](int row, int inside, float* to) {
        if (inside) line(row == height - 1 ? last : frame + values * row, x, to, pitch);
        else std::memset(to, 0, sizeof(float) * 3 * pitch);
    };
    const vf mean = splat(kMean), gain = splat(kGain);
    for (int i = 0; i < rows; ++i) {
        const int r = first + i;
        sample(y.low[r], y.low_mask[r], top);
        sample(y.high[r], y.high_mask[r], bottom);
        const vf near = splat(y.near[r]), far = splat(y.far[r]);
        for (int c = 0; c < 3; ++c) {
            float* to = out + c * plane + static_cast<ptrdiff_t>(i) * x.length;
            const float *a = top + c * pitch, *b = bottom + c * pitch;
            for (int j = 0; j < x.length; j += kLanes) {
                const vf v = vload(a + j) * near + vload(b + j) * far;
                vstore(to + j, (v - mean) * gain);
            }
        }
    }
}

}  // namespace

extern "C" const pymtcnn::Sampler NATIVE_TABLE(pymtcnn_sampler) = {resample<uint8_t>, resample<float>};
