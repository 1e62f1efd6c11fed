// Per-thread scratch memory that grows to the largest request and is then reused: no allocation per frame.
#pragma once
#include <cstddef>
#include <cstdint>

#include "memory.hpp"

namespace {

struct Scratch {
    void* base = nullptr;
    size_t size = 0;  // bytes that can be used

    // Room for `count` items and the rest of the last vector, aligned to 64 bytes; throws std::bad_alloc.
    template <typename T>
    T* get(size_t count) {
        constexpr size_t slack = 128, alignment = 64;
        // Compared in items: the number of bytes may not fit.
        if (!base || count > (size - slack) / sizeof(T)) {
            native::release(base);
            base = nullptr;
            base = native::allocate(count + (slack + alignment + sizeof(T) - 1) / sizeof(T), sizeof(T));
            size = count * sizeof(T) + slack;
        }
        return reinterpret_cast<T*>((reinterpret_cast<uintptr_t>(base) + alignment - 1) & ~static_cast<uintptr_t>(alignment - 1));
    }
    ~Scratch() { native::release(base); }
};

}  // namespace
