"""MTCNN face detection with OpenFace 2.2's networks and boxes."""

from __future__ import annotations

from .backends import available_backends
from .detector import MTCNN, Detection, choose_face
from .errors import BackendError, PyMTCNNError, WeightsError
from .instructions import available_instruction_sets, instruction_set
from .weights import DetectorWeights, load_weights

__all__ = [
    "MTCNN",
    "BackendError",
    "Detection",
    "DetectorWeights",
    "PyMTCNNError",
    "WeightsError",
    "__version__",
    "available_backends",
    "available_instruction_sets",
    "choose_face",
    "instruction_set",
    "load_weights",
]

__version__ = "2.0.0"
