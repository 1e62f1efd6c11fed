// The layers, compiled once per instruction set into one table of functions each.
//
// Everything here has internal linkage and no standard container is used: an inline function shared with another
// translation unit could be linked in its AVX-512 form into a program on a machine without it.
#include "layers.hpp"
#include "table.hpp"

extern "C" const pymtcnn::Kernels NATIVE_TABLE(pymtcnn_kernels) = {run_trunk, run_dense};
