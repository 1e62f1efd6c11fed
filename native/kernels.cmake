# native_compiler(FOUND): enables C++ and sets FOUND; where there is no compiler, says so and leaves the kernels to NumPy.
#
# A compiler that lacks GCC's vector extensions is an error: whoever has one wants compiled kernels.
macro(native_compiler found)
  include(CheckLanguage)
  check_language(CXX)
  if(NOT CMAKE_CXX_COMPILER)
    message(WARNING "No C++ compiler: ${PROJECT_NAME} is installed with NumPy's kernels, which are slower.")
    set(${found} FALSE)
  else()
    enable_language(CXX)
    if(NOT CMAKE_CXX_COMPILER_ID MATCHES "GNU|Clang")
      message(FATAL_ERROR "${PROJECT_NAME}'s kernels use the vector extensions of GCC and Clang, which ${CMAKE_CXX_COMPILER_ID} "
        "(${CMAKE_CXX_COMPILER}) does not have. On Windows install Visual Studio's component `C++ Clang tools for Windows`, set "
        "CC=clang-cl, CXX=clang-cl and CMAKE_GENERATOR=Ninja, and build in a developer prompt. "
        "With PYFACEAU_PURE=1 in the environment nothing is compiled, and NumPy's slower kernels run.")
    endif()
    set(${found} TRUE)
    set(CMAKE_CXX_STANDARD 17)
    set(CMAKE_CXX_STANDARD_REQUIRED ON)
    set(CMAKE_CXX_EXTENSIONS ON)
    if(NOT CMAKE_BUILD_TYPE)
      set(CMAKE_BUILD_TYPE Release)
    endif()
  endif()
endmacro()

# native_options(TARGET OPTION...): options of GCC and Clang, handed through by clang-cl, which reads Microsoft's.
function(native_options target)
  if(CMAKE_CXX_COMPILER_FRONTEND_VARIANT STREQUAL "MSVC")
    list(TRANSFORM ARGN PREPEND "/clang:")
  endif()
  target_compile_options(${target} PRIVATE ${ARGN})
endfunction()

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

# On a Mac either processor's code can be compiled; code for both at once has no sets.
set(processor "${CMAKE_SYSTEM_PROCESSOR}")
if(CMAKE_OSX_ARCHITECTURES)
  set(processor "${CMAKE_OSX_ARCHITECTURES}")
endif()
if(processor MATCHES "^(x86_64|AMD64|amd64)$")
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
    native_options(kernels_${name} ${NATIVE_OPTIMISE} -fno-math-errno -fno-trapping-math -ffp-contract=fast -Wall -Wextra -Wno-psabi
                   ${flags_${name}})
    list(APPEND found $<TARGET_OBJECTS:kernels_${name}>)
  endforeach()
  set(${objects} "${found}" PARENT_SCOPE)
endfunction()

# What a module needs to see the headers and choose among its kernels.
function(native_module target)
  target_sources(${target} PRIVATE "${CMAKE_CURRENT_FUNCTION_LIST_DIR}/memory.cpp")
  target_include_directories(${target} PRIVATE "${CMAKE_CURRENT_FUNCTION_LIST_DIR}")
  target_compile_definitions(${target} PRIVATE NATIVE_X86=${NATIVE_X86})
  native_options(${target} -O2 -ffp-contract=off -Wall -Wextra)
  target_link_libraries(${target} PRIVATE Threads::Threads)
endfunction()
