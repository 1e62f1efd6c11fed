// Positions and weights of OpenCV's linear interpolation along one axis.
#pragma once
#include <cmath>
#include <cstddef>
#include <cstdint>

#include "api.hpp"

namespace {

constexpr int padded(int length) { return (length + 15) / 16 * 16; }

// 4-byte words that `build_axis` fills.
constexpr size_t axis_words(int length) { return 6 * static_cast<size_t>(padded(length)); }

// `source` samples from `origin` on, of which those in [0, limit) exist, are resized to `length`; positions are multiplied by `step`.
inline pymtcnn::Axis build_axis(int length, int source, int origin, int limit, int step, int32_t* memory) {
    const int size = padded(length);
    int32_t *low = memory, *high = low + size, *low_mask = high + size, *high_mask = low_mask + size;
    float *near = reinterpret_cast<float*>(high_mask + size), *far = near + size;
    const double factor = static_cast<double>(source) / length;
    const int last = source - 1;
    const auto place = [&](int k, int32_t& position, int32_t& mask) {
        const int at = k + origin;
        mask = at >= 0 && at < limit ? -1 : 0;
        position = (at < 0 ? 0 : at >= limit ? limit - 1 : at) * step;
    };
    for (int i = 0; i < length; ++i) {
        const float position = static_cast<float>((i + 0.5) * factor - 0.5);
        int k = static_cast<int>(std::floor(position));
        float weight = position - static_cast<float>(k);
        if (k < 0 || k >= last) weight = 0.f;
        k = k < 0 ? 0 : k > last ? last : k;
        place(k, low[i], low_mask[i]);
        place(k + 1 > last ? last : k + 1, high[i], high_mask[i]);
        near[i] = 1.f - weight, far[i] = weight;
    }
    for (int i = length; i < size; ++i) low[i] = high[i] = low_mask[i] = high_mask[i] = 0, near[i] = far[i] = 0.f;
    return {length, low, high, low_mask, high_mask, near, far};
}

}  // namespace
