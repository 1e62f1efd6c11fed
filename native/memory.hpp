// Memory that kernels ask for. What cannot be had is an exception, so that Python sees a MemoryError.
//
// The functions are compiled once for each module, in memory.cpp: nothing of the standard library may be inlined into kernels.
#pragma once
#include <cstddef>

namespace native {

// `count` items of `size` bytes, not initialised; throws std::bad_alloc.
void* allocate(size_t count, size_t size);
void release(void* memory);

// For tests: from now on allocations fail, or succeed again.
void fail_allocations(bool fail);

}  // namespace native
