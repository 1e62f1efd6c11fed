"""The detector: OpenFace 2.2's parameters, any engine, one image or several."""

from __future__ import annotations

import math
import os
import threading
import warnings
from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Any, Literal

from numpy.typing import NDArray

from .backends.interface import DEFAULT_OPTIONS, Backend, EngineOptions, open_batch
from .backends.registry import BackendName
from .boxes import CELL
from .cascade import CascadeSettings, run_cascade
from .detection import Detection, choose_face
from .engines import open_engine, stand_in
from .errors import EngineError
from .image import as_bgr
from .networks import DetectorWeights
from .pyramid import PYRAMID_FACTOR, Frame
from .weights import load_weights

__all__ = ["MTCNN", "Detection", "choose_face"]

# OpenFace 2.2: FaceDetectorMTCNN.cpp and its callers, which never override them.
DEFAULT_MIN_FACE_SIZE = 60
DEFAULT_THRESHOLDS = (0.6, 0.7, 0.7)

# A factor nearer to 1 makes hundreds of levels.
_LARGEST_FACTOR = 0.95

# Frames that an engine takes at once.
_BATCH = 16


class MTCNN:
    """Face detector: OpenFace 2.2's MTCNN.

    Parameters
    ----------
    backend : str, default "auto"
        What runs the networks: ``"native"`` (compiled), ``"numpy"``, ``"onnx"``, ``"cuda"``, ``"coreml"``, or
        ``"auto"``: the compiled one, unless there is a CUDA device that is clearly faster. See
        :func:`pymtcnn.available_backends`.
    weights : path-like or DetectorWeights, optional
        OpenFace's ``MTCNN_detector.txt`` or the folder with ``PNet.dat``, ``RNet.dat`` and ``ONet.dat``.
        By default the same weights from the installed ``mtcnn`` package.
    min_face_size : float, default 60
        Side in pixels of the smallest face to look for, at least 12. Time grows with its inverse square.
    thresholds : sequence of three floats, default (0.6, 0.7, 0.7)
        Smallest probabilities to pass PNet, RNet and ONet, each in 0..1.
    threads : int, default 1
        Threads that work on one image. Results do not depend on it. The NumPy backend always uses one.
    factor : float, default 0.709
        Factor between two levels of the pyramid, above 0 and at most 0.95.
    options : EngineOptions, optional
        Settings of the engines, such as ONNX Runtime's provider or CoreML's compute units.
    fallback : bool, default True
        Whether an engine on the processor takes over, with a warning, when a device is missing or fails. No frame
        is lost.

    Attributes
    ----------
    backend : str
        Name of the backend in use.
    threads : int
        Threads that work on one image.
    weights : DetectorWeights
        The networks with their sources and SHA-256.

    Raises
    ------
    BackendError
        The backend does not exist, or its packages are not installed.
    EngineError
        The device is missing or fails, and `fallback` is False.
    WeightsError
        A weights file is missing or damaged.
    ValueError
        `min_face_size`, `thresholds`, `factor` or `threads` are out of range.

    Warns
    -----
    BackendWarning
        Another engine runs than was asked for.

    Notes
    -----
    `detect` may be called from several threads. With the NumPy backend the calls take turns in the networks.

    References
    ----------
    K. Zhang, Z. Zhang, Z. Li, Y. Qiao: Joint Face Detection and Alignment Using Multitask Cascaded
    Convolutional Networks. IEEE Signal Processing Letters 23(10), 2016.

    T. Baltrusaitis, A. Zadeh, Y. C. Lim, L.-P. Morency: OpenFace 2.0: Facial Behavior Analysis Toolkit.
    IEEE FG 2018.

    Examples
    --------
    >>> import numpy as np
    >>> from pymtcnn import MTCNN
    >>> MTCNN().detect(np.zeros((480, 640, 3), np.uint8))
    []
    """

    def __init__(
        self,
        backend: BackendName | Literal["cpu"] = "auto",
        weights: str | os.PathLike[str] | DetectorWeights | None = None,
        min_face_size: float = DEFAULT_MIN_FACE_SIZE,
        thresholds: Sequence[float] = DEFAULT_THRESHOLDS,
        threads: int = 1,
        *,
        factor: float = PYRAMID_FACTOR,
        options: EngineOptions = DEFAULT_OPTIONS,
        fallback: bool = True,
    ) -> None:
        if not CELL <= min_face_size < math.inf:
            raise ValueError(f"min_face_size is {min_face_size}; pass a number of pixels from {CELL} up")
        if len(thresholds) != 3 or not all(0 <= threshold <= 1 for threshold in thresholds):
            raise ValueError(
                f"thresholds are {thresholds!r}; pass three numbers in 0..1, one for each network"
            )
        if not 0 < factor <= _LARGEST_FACTOR:
            raise ValueError(f"factor is {factor}; pass a number above 0 and at most {_LARGEST_FACTOR}")
        if backend == "cpu":
            message = "backend='cpu' is a name of pymtcnn 1.x; pass 'native', 'numpy', or 'auto'"
            warnings.warn(message, DeprecationWarning, stacklevel=2)
        self.threads = int(threads)
        self.options = replace(options, threads=self.threads)
        self.min_face_size = float(min_face_size)
        self.thresholds = tuple(float(threshold) for threshold in thresholds)
        self.factor = float(factor)
        self.fallback = fallback
        self.weights = weights if isinstance(weights, DetectorWeights) else load_weights(weights)
        self._settings = CascadeSettings(self.min_face_size, self.thresholds, self.factor)
        self._asked = backend
        self._engine: Backend = open_engine(backend, self.weights, self.options, fallback)
        self._changing = threading.Lock()

    def __reduce__(self) -> tuple[Any, ...]:
        # A copy in another process gets its own networks and workspaces, on the engine in use here.
        names = {"native", "numpy"}
        backend = self._engine.name if self._engine.name in names else self._asked
        arguments = (backend, self.weights, self.min_face_size, self.thresholds, self.threads)
        return _rebuild, (
            arguments,
            {"factor": self.factor, "options": self.options, "fallback": self.fallback},
        )

    @property
    def backend(self) -> str:
        """Name of the backend in use."""
        return self._engine.name

    @property
    def provenance(self) -> dict[str, str]:
        """What decides on the numbers: the engine with its version, the settings, and the SHA-256 of the weights.

        Examples
        --------
        >>> from pymtcnn import MTCNN
        >>> MTCNN(backend="numpy").provenance["min_face_size"]
        '60'
        """
        return {
            "backend": self.backend,
            "backend_asked_for": self._asked,
            **getattr(self._engine, "details", {}),
            "min_face_size": f"{self.min_face_size:g}",
            "thresholds": ", ".join(f"{threshold:g}" for threshold in self.thresholds),
            "factor": f"{self.factor:g}",
            **{f"sha256_{name}": digest for name, digest in self.weights.sha256.items()},
        }

    def __repr__(self) -> str:
        return (
            f"MTCNN(backend={self.backend!r}, weights={os.path.dirname(self.weights.pnet.source)!r}, "
            f"min_face_size={self.min_face_size:g}, thresholds={self.thresholds}, threads={self.threads}, "
            f"factor={self.factor:g})"
        )

    def detect(self, image: NDArray[Any]) -> list[Detection]:
        """Find the faces in an image.

        Parameters
        ----------
        image : ndarray, shape (H, W), (H, W, 1), (H, W, 3) or (H, W, 4)
            Grey, BGR (not RGB) or BGRA pixels: uint8, uint16 (divided by 256) or float32 on the scale 0..255.

        Returns
        -------
        list of Detection
            Best score first; empty where there is no face or the image is smaller than `min_face_size`.
            One list, not boxes and landmarks as in version 1: two faces would unpack into two names without an error.

        Raises
        ------
        TypeError
            `image` is not an array or has another dtype.
        ValueError
            `image` is empty, has another shape, or holds values that are not finite.
        """
        return self._run([as_bgr(image)])[0]

    def detect_batch(self, images: Iterable[NDArray[Any]]) -> list[list[Detection]]:
        """Find the faces in several images; a device works on up to 16 of one size at once.

        Parameters
        ----------
        images : iterable of ndarray
            Images as for `detect`, of equal or different sizes.

        Returns
        -------
        list of list of Detection
            For each image what `detect` gives: on the processor the same bits, on a device the same but for the
            last digits.

        Raises
        ------
        TypeError, ValueError
            An image is not as described; the message says which one.

        Examples
        --------
        >>> import numpy as np
        >>> from pymtcnn import MTCNN
        >>> MTCNN().detect_batch([np.zeros((90, 120), np.uint8), np.zeros((70, 80, 3), np.uint8)])
        [[], []]
        """
        frames: list[Frame] = []
        for number, image in enumerate(images):
            try:
                frames.append(as_bgr(image))
            except (TypeError, ValueError) as error:
                raise type(error)(f"image {number} of the batch: {error}") from error
        alike: dict[tuple[Any, ...], list[int]] = {}
        for number, frame in enumerate(frames):
            alike.setdefault((frame.shape, frame.dtype), []).append(number)
        found: list[list[Detection]] = [[] for _ in frames]
        for numbers in alike.values():
            for start in range(0, len(numbers), _BATCH):
                part = numbers[start : start + _BATCH]
                for number, faces in zip(part, self._run([frames[i] for i in part]), strict=True):
                    found[number] = faces
        return found

    def _run(self, frames: Sequence[Frame]) -> list[list[Detection]]:
        """Faces of frames of one size and dtype; repeated on another engine if this one fails."""
        engine = self._engine
        height, width, _ = frames[0].shape
        try:
            return run_cascade(open_batch(engine, frames), len(frames), height, width, self._settings)
        except EngineError as error:
            if not self.fallback:
                raise
            with self._changing:
                if self._engine is engine:  # else another thread was first
                    self._engine = stand_in(engine.name, str(error), self.weights, self.options)
        return self._run(frames)


def _rebuild(arguments: tuple[Any, ...], named: dict[str, Any]) -> MTCNN:
    return MTCNN(*arguments, **named)
