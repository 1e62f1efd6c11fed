// The instruction sets that the kernels are compiled for, and the choice of one when a module loads.
//
// Each set's kernels are a table of functions named NAME_baseline, NAME_avx2 or NAME_avx512; kernels.cmake compiles them, and a
// module lists them with NATIVE_TABLES. For module files only: kernels must not include standard containers.
#pragma once
#include <cstdlib>
#include <stdexcept>
#include <string>
#include <vector>

#if NATIVE_X86
#define NATIVE_DECLARE(type, name) extern "C" const type name##_baseline, name##_avx2, name##_avx512;
#define NATIVE_TABLES(name) {&name##_baseline, &name##_avx2, &name##_avx512}
#else
#define NATIVE_DECLARE(type, name) extern "C" const type name##_baseline;
#define NATIVE_TABLES(name) {&name##_baseline}
#endif

namespace native {

constexpr const char* kVariable = "PYFACEAU_INSTRUCTION_SET";

// Sets that run on this machine, the best last. A set's place here is its table's place in NATIVE_TABLES.
inline const std::vector<std::string>& available() {
    static const std::vector<std::string> names = [] {
        std::vector<std::string> found{"baseline"};
#if NATIVE_X86
        __builtin_cpu_init();
        if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")) {
            found.push_back("avx2");
            if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512bw") &&
                __builtin_cpu_supports("avx512vl"))
                found.push_back("avx512");
        }
#endif
        return found;
    }();
    return names;
}

// Place of the named set. `where` begins the message of the std::invalid_argument that an unknown name gets.
inline size_t find(const std::string& name, const std::string& where = "") {
    const auto& names = available();
    for (size_t i = 0; i < names.size(); ++i)
        if (names[i] == name) return i;
    std::string known = names[0];
    for (size_t i = 1; i < names.size(); ++i) known += (i + 1 < names.size() ? ", " : " or ") + names[i];
    throw std::invalid_argument(where + "this machine does not run the instruction set '" + name + "'; choose " + known);
}

// Place of the set to use: the environment's choice, else the best.
inline size_t chosen() {
    const char* wanted = std::getenv(kVariable);
    if (!wanted || !*wanted) return available().size() - 1;
    return find(wanted, std::string(kVariable) + ": ");
}

}  // namespace native
