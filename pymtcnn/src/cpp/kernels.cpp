// The layers, compiled once per instruction set with PYMTCNN_KERNELS naming the exported table.
//
// Everything here has internal linkage and no standard container is used: an inline function shared with another
// translation unit could be linked in its AVX-512 form into a program on a machine without it.
#include "layers.hpp"

#define PYMTCNN_STRING2(x) #x
#define PYMTCNN_STRING(x) PYMTCNN_STRING2(x)

extern "C" const pymtcnn::Kernels PYMTCNN_KERNELS = {PYMTCNN_STRING(PYMTCNN_SET), kLanes, run_trunk, run_dense};
