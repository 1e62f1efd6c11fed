"""68 facial landmarks by CLNF and CE-CLM, number for number as in OpenFace 2.2.

:class:`CLNF` fits one image, :class:`FaceTracker` a face in a video, :class:`MultiFaceTracker` several;
:class:`PDM` is the shape model under all of them.
"""

from .clnf import CLNF
from .config import FitParameters
from .core.gaze import Gaze, estimate_gaze
from .core.model import LandmarkModel
from .core.pdm import PDM
from .core.pose import Camera, head_pose, landmarks_3d
from .errors import MissingModelError, ModelFileError, PyCLNFError
from .fit import FaceFit, PartFit
from .multi import MultiFaceTracker, TrackedFace
from .tracking import FaceTracker

__all__ = [
    "CLNF",
    "PDM",
    "Camera",
    "FaceFit",
    "FaceTracker",
    "FitParameters",
    "Gaze",
    "LandmarkModel",
    "MissingModelError",
    "ModelFileError",
    "MultiFaceTracker",
    "PartFit",
    "PyCLNFError",
    "TrackedFace",
    "estimate_gaze",
    "head_pose",
    "landmarks_3d",
]
__version__ = "2.0.0"
