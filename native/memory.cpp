#include "memory.hpp"

#include <atomic>
#include <cstdint>
#include <cstdlib>
#include <new>

namespace native {

namespace {
std::atomic<bool> failing{false};
}

void* allocate(size_t count, size_t size) {
    if (failing.load(std::memory_order_relaxed) || count > static_cast<size_t>(PTRDIFF_MAX) / size) throw std::bad_alloc();
    void* memory = std::malloc(count * size);
    if (!memory) throw std::bad_alloc();
    return memory;
}

void release(void* memory) { std::free(memory); }

void fail_allocations(bool fail) { failing = fail; }

}  // namespace native
