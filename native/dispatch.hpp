// The instruction sets that the kernels are compiled for, and the choice of one when a module loads.
//
// Each set's kernels are a table of functions named NAME_baseline, NAME_avx2 or NAME_avx512; kernels.cmake compiles them, and a
// module lists them with NATIVE_TABLES. For module files only: kernels must not include standard containers.
#pragma once
#if NATIVE_X86 && defined(_MSC_VER)
#include <cpuid.h>
#endif
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
#if NATIVE_X86 && defined(_MSC_VER)
        // clang-cl links no library for __builtin_cpu_supports.
        unsigned a, b, c, d;
        if (__get_cpuid(1, &a, &b, &c, &d) && (c & bit_OSXSAVE) && (c & bit_FMA)) {
            unsigned low, high;  // which registers the system saves
            __asm__ volatile("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
            constexpr unsigned avx512 = 1u << 16 | 1u << 17 | 1u << 30 | 1u << 31;  // f, dq, bw, vl
            if ((low & 0x06) == 0x06 && __get_cpuid_count(7, 0, &a, &b, &c, &d) && (b & bit_AVX2)) {
                found.push_back("avx2");
                if ((low & 0xe6) == 0xe6 && (b & avx512) == avx512) found.push_back("avx512");
            }
        }
#elif NATIVE_X86
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
