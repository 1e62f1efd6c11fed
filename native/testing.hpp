// What tests ask of a module that no user needs: memory that runs out, and exceptions in every thread of the pool.
#pragma once
#include <pybind11/pybind11.h>

#include <atomic>
#include <chrono>
#include <stdexcept>
#include <string>
#include <thread>

#include "memory.hpp"
#include "pool.hpp"

namespace native {

// Runs `count` items on `threads` threads. From item `failing` on each throws, the first of them only when all threads have begun one,
// so that workers throw too.
inline void throw_in_pool(int count, int threads, int failing) {
    std::atomic<int> begun{0};
    Pool::instance().run(count, threads, [&](int i) {
        if (i < failing) return;
        ++begun;
        const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(10);
        while (begun < threads && std::chrono::steady_clock::now() < end) std::this_thread::yield();
        throw std::runtime_error("item " + std::to_string(i));
    });
}

inline void bind_testing(pybind11::module_& m) {
    m.def("_fail_allocations", &fail_allocations);
    m.def("_throw_in_pool", &throw_in_pool, pybind11::call_guard<pybind11::gil_scoped_release>());
}

}  // namespace native
