"""FHOG features of NumPy images, computed by dlib's C++ code."""

from pyfhog.fhog import FEATURES_PER_CELL, extract_fhog, extract_fhog_features, fhog_shape

__all__ = ["FEATURES_PER_CELL", "extract_fhog", "extract_fhog_features", "fhog_shape"]
__version__ = "2.0.0"
