"""FHOG features of NumPy images, computed by dlib's C++ code (or in NumPy, where nothing could be compiled)."""

from pyfhog.fhog import FEATURES_PER_CELL, extract_fhog, extract_fhog_features, fhog_shape
from pyfhog.kernels import SlowKernelsWarning, instruction_set

__all__ = [
    "FEATURES_PER_CELL",
    "SlowKernelsWarning",
    "extract_fhog",
    "extract_fhog_features",
    "fhog_shape",
    "instruction_set",
]
__version__ = "2.0.0"
