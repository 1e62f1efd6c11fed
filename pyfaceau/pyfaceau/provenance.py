"""What made a result: versions, instruction sets, decoder, models, options; everything that can change a number."""

from __future__ import annotations

import platform
from collections.abc import Mapping
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np

import pyclnf
import pyfhog

from . import __version__, kernels

if TYPE_CHECKING:
    from pyclnf import Camera

    from .faces import Intrinsics


_DECODING = (
    "libavcodec",
    "libavformat",
    "libswscale",
)  # of FFmpeg; two versions decode some videos differently


@lru_cache(maxsize=1)
def versions() -> dict[str, str]:
    """Versions of everything that numbers depend on.

    Returns
    -------
    dict of str to str
        By name: the four packages, NumPy, OpenCV, PyAV and the FFmpeg libraries inside it, Python, the platform.
    """
    import av  # takes long, and is there by now: something has been analysed

    import pymtcnn

    return {
        "pyfaceau": __version__,
        "pyclnf": pyclnf.__version__,
        "pymtcnn": pymtcnn.__version__,
        "pyfhog": pyfhog.__version__,
        "numpy": np.__version__,
        "opencv": cv2.__version__,
        "av": av.__version__,
        **{f"av.{name}": ".".join(map(str, av.library_versions[name])) for name in _DECODING},
        "python": platform.python_version(),
        "platform": f"{platform.system()} {platform.machine()}",
    }


def instruction_sets() -> dict[str, str]:
    """Name the instruction set that runs in each package: ``"numpy"`` where nothing was compiled, or by request.

    Returns
    -------
    dict of str to str
        By package.
    """
    import pymtcnn

    return {
        "pyclnf": pyclnf.instruction_set(),
        "pymtcnn": pymtcnn.instruction_set(),
        "pyfhog": pyfhog.instruction_set(),
        "pyfaceau": kernels.instruction_set(),
    }


def camera_record(camera: Camera, known: Intrinsics) -> dict[str, Any]:
    """Describe the camera of a result.

    Parameters
    ----------
    camera : Camera
        That was used.
    known : Intrinsics
        What the caller said about it.

    Returns
    -------
    dict
        ``fx, fy, cx, cy`` in px, and ``guessed``: which of them come from the frame size.
    """
    values = {name: float(getattr(camera, name)) for name in ("fx", "fy", "cx", "cy")}
    return {**values, "guessed": [name for name in values if getattr(known, name) is None]}


def detector_record(detector: object) -> dict[str, str]:
    """Describe a face detector.

    Parameters
    ----------
    detector : FaceDetector
        One that has a mapping ``provenance`` describes itself, as pymtcnn's does with the SHA-256 of its weights.

    Returns
    -------
    dict of str to str
    """
    told = getattr(detector, "provenance", None)
    kind = f"{type(detector).__module__}.{type(detector).__qualname__}"
    return {"class": kind, **({str(k): str(v) for k, v in told.items()} if isinstance(told, Mapping) else {})}
