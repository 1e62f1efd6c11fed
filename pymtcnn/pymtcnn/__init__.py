"""MTCNN face detection with OpenFace 2.2's networks and boxes."""

from __future__ import annotations

from .backends.interface import EngineOptions
from .detection import Detection, choose_face, select_faces
from .detector import MTCNN
from .engines import BackendInfo, available_backends
from .errors import BackendError, BackendWarning, EngineError, PyMTCNNError, WeightsError
from .instructions import available_instruction_sets, instruction_set
from .networks import DetectorWeights
from .weights import load_weights

__all__ = [
    "MTCNN",
    "BackendError",
    "BackendInfo",
    "BackendWarning",
    "Detection",
    "DetectorWeights",
    "EngineError",
    "EngineOptions",
    "PyMTCNNError",
    "WeightsError",
    "__version__",
    "available_backends",
    "available_instruction_sets",
    "choose_face",
    "instruction_set",
    "load_weights",
    "select_faces",
]

__version__ = "2.0.0"
