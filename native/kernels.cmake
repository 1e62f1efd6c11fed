# For the sanitizers' tests: `address,undefined`, for instance.
set(NATIVE_SANITIZE "" CACHE STRING "Value of -fsanitize= for everything that is compiled")
if(NATIVE_SANITIZE)
  add_compile_options(-fsanitize=${NATIVE_SANITIZE} -fno-sanitize-recover=all -fno-omit-frame-pointer -g)
  add_link_options(-fsanitize=${NATIVE_SANITIZE})
  set(NATIVE_OPTIMISE -O1)  # -O3 takes half an hour with the checks
else()
  set(NATIVE_OPTIMISE -O3)
endif()

# Compiles kernels once for each instruction set: native_kernels(OBJECTS SOURCE...) sets OBJECTS to what a module links.
#
# A source exports its table as NATIVE_TABLE(name), see table.hpp; the module finds the tables with dispatch.hpp.

if(CMAKE_SYSTEM_PROCESSOR MATCHES "^(x86_64|AMD64|amd64)$" AND NOT CMAKE_OSX_ARCHITECTURES MATCHES "arm64")
  set(NATIVE_X86 1)
else()
  set(NATIVE_X86 0)
endif()

function(native_kernels objects)
  set(found "")
  set(flags_baseline "")
  set(flags_avx2 -mavx2 -mfma)
  set(flags_avx512 -mavx512f -mavx512dq -mavx512bw -mavx512vl -mfma -mprefer-vector-width=512)
  set(sets baseline)
  if(NATIVE_X86)
    list(APPEND sets avx2 avx512)
  endif()
  foreach(name IN LISTS sets)
    add_library(kernels_${name} OBJECT ${ARGN})
    set_target_properties(kernels_${name} PROPERTIES POSITION_INDEPENDENT_CODE ON CXX_VISIBILITY_PRESET hidden)
    target_include_directories(kernels_${name} PRIVATE "${CMAKE_CURRENT_FUNCTION_LIST_DIR}")
    target_compile_definitions(kernels_${name} PRIVATE NATIVE_SET=${name})
    target_compile_options(kernels_${name} PRIVATE ${NATIVE_OPTIMISE} -fno-math-errno -fno-trapping-math -ffp-contract=fast -Wall -Wextra
                                                   -Wno-psabi ${flags_${name}})
    list(APPEND found $<TARGET_OBJECTS:kernels_${name}>)
  endforeach()
  set(${objects} "${found}" PARENT_SCOPE)
endfunction()

# What a module needs to see the headers and choose among its kernels.
function(native_module target)
  target_sources(${target} PRIVATE "${CMAKE_CURRENT_FUNCTION_LIST_DIR}/memory.cpp")
  target_include_directories(${target} PRIVATE "${CMAKE_CURRENT_FUNCTION_LIST_DIR}")
  target_compile_definitions(${target} PRIVATE NATIVE_X86=${NATIVE_X86})
endfunction()
