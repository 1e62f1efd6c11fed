// Names of the tables that one instruction set's kernels export; NATIVE_SET is set by kernels.cmake.
#pragma once

#define NATIVE_JOIN2(a, b) a##_##b
#define NATIVE_JOIN(a, b) NATIVE_JOIN2(a, b)
#define NATIVE_TABLE(name) NATIVE_JOIN(name, NATIVE_SET)
