// The extension module: chooses the kernels of the best instruction set when it loads.
#include <string>

#include "binding.hpp"

extern "C" {
extern const pyclnf::Api pyclnf_baseline;
#if PYCLNF_X86
extern const pyclnf::Api pyclnf_avx2;
extern const pyclnf::Api pyclnf_avx512;
#endif
}

namespace pyclnf {

const Api* api = &pyclnf_baseline;

namespace {

std::vector<const Api*> supported() {
    std::vector<const Api*> found{&pyclnf_baseline};
#if PYCLNF_X86
    __builtin_cpu_init();
    if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")) found.push_back(&pyclnf_avx2);
    if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512bw") &&
        __builtin_cpu_supports("avx512vl"))
        found.push_back(&pyclnf_avx512);
#endif
    return found;
}

std::string short_name(const Api* a) { return std::string(a->name).substr(std::strlen("pyclnf_")); }

}  // namespace
}  // namespace pyclnf

PYBIND11_MODULE(_core, m) {
    using namespace pyclnf;
    api = supported().back();
    m.def("instruction_sets", [] {
        std::vector<std::string> names;
        for (const Api* a : supported()) names.push_back(short_name(a));
        return names;
    });
    m.def("instruction_set", [] { return short_name(api); });
    m.def("use_instruction_set", [](const std::string& name) {
        for (const Api* a : supported())
            if (short_name(a) == name) {
                api = a;
                return;
            }
        throw py::value_error("this machine does not support " + name);
    });
    bind_image(m);
    bind_shape(m);
    bind_experts(m);
    bind_validator(m);
}
