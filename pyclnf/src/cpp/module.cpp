// The extension module: chooses the kernels of an instruction set when it loads.
#include <string>

#include "binding.hpp"
#include "dispatch.hpp"
#include "testing.hpp"

NATIVE_DECLARE(pyclnf::Api, pyclnf_kernels)

namespace pyclnf {

const Api* api = nullptr;

namespace {

constexpr const Api* kTables[] = NATIVE_TABLES(pyclnf_kernels);
size_t current = 0;

void use(size_t set) {
    current = set;
    api = kTables[set];
}

}  // namespace
}  // namespace pyclnf

PYBIND11_MODULE(_core, m) {
    using namespace pyclnf;
    use(native::chosen());
    m.def("instruction_sets", &native::available);
    m.def("instruction_set", [] { return native::available()[current]; });
    m.def("use_instruction_set", [](const std::string& name) { use(native::find(name)); });
    bind_image(m);
    bind_shape(m);
    bind_experts(m);
    bind_validator(m);
    native::bind_testing(m);
}
