// Per-thread scratch memory that grows to the largest request and is then reused: no allocation per frame.
#pragma once
#include <cstddef>
#include <cstdint>
#include <cstdlib>

namespace {

struct Scratch {
    void* base = nullptr;
    size_t size = 0;

    template <typename T>
    T* get(size_t count) {
        const size_t bytes = count * sizeof(T) + 128;  // slack for the last vector
        if (bytes > size) {
            std::free(base);
            base = std::malloc(bytes + 64);
            size = base ? bytes : 0;
            if (!base) std::abort();
        }
        return reinterpret_cast<T*>((reinterpret_cast<uintptr_t>(base) + 63) & ~static_cast<uintptr_t>(63));
    }
    ~Scratch() { std::free(base); }
};

}  // namespace
