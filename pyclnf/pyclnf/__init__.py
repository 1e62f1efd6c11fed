"""68 facial landmarks by CLNF and CE-CLM, number for number as in OpenFace 2.2.

:class:`CLNF` fits one image, :class:`FaceTracker` a face in a video, :class:`MultiFaceTracker` several; each fit is a
:class:`FaceFit`. :func:`head_pose`, :func:`landmarks_3d` and :func:`estimate_gaze` see a fit through a :class:`Camera`.
:class:`PDM` is the shape model under all of them, :class:`LandmarkModel` everything that is loaded from files.
"""

from .clnf import CLNF
from .config import FitParameters
from .core.model import LandmarkModel
from .core.pdm import PDM
from .errors import (
    MissingModelError,
    ModelChoiceWarning,
    ModelFileError,
    ModelInstallError,
    PyCLNFError,
    SlowKernelsWarning,
)
from .fit import FaceFit, PartFit
from .gaze import Gaze, estimate_gaze
from .instructions import available_instruction_sets, instruction_set
from .multi import MultiFaceTracker, TrackedFace
from .pose import Camera, head_pose, landmarks_3d
from .store import ModelStore
from .tracking import FaceDetector, FaceTracker

__all__ = [
    "CLNF",
    "PDM",
    "Camera",
    "FaceDetector",
    "FaceFit",
    "FaceTracker",
    "FitParameters",
    "Gaze",
    "LandmarkModel",
    "MissingModelError",
    "ModelChoiceWarning",
    "ModelFileError",
    "ModelInstallError",
    "ModelStore",
    "MultiFaceTracker",
    "PartFit",
    "PyCLNFError",
    "SlowKernelsWarning",
    "TrackedFace",
    "available_instruction_sets",
    "estimate_gaze",
    "head_pose",
    "instruction_set",
    "landmarks_3d",
]
__version__ = "2.0.0"
