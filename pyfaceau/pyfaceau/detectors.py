"""Face detectors for the pipeline: MTCNN, two of OpenCV's, or any object that finds faces.

The landmark stage starts from a box that reaches from chin to eyebrows and from ear to ear. Detectors draw their boxes
otherwise, so each adapter has a correction, measured against MTCNN's boxes (``python -m benchmarks.detector_boxes``).
"""

from __future__ import annotations

import os
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Protocol, cast, get_args

import cv2
import numpy as np
import numpy.typing as npt

from .video import as_bgr

if TYPE_CHECKING:
    from pymtcnn import DetectorWeights
    from pymtcnn.backends import BackendName

__all__ = [
    "DETECTORS",
    "HAAR_CORRECTION",
    "YUNET_CORRECTION",
    "BoxCorrection",
    "ConstantBox",
    "DetectorName",
    "FaceBox",
    "FaceDetector",
    "HaarDetector",
    "YuNetDetector",
    "make_detector",
]

DetectorName = Literal["mtcnn", "yunet", "haar"]
DETECTORS: tuple[str, ...] = get_args(DetectorName)

Box = npt.NDArray[np.float32]


class _HasBox(Protocol):
    @property
    def box(self) -> Box: ...


class FaceDetector(Protocol):
    """What the pipeline needs of a detector.

    Examples
    --------
    >>> from pyfaceau import FullPythonAUPipeline
    >>> from pyfaceau.detectors import FaceBox
    >>> class Mine:
    ...     def detect(self, image):
    ...         return [FaceBox((60, 125, 227, 221))]
    >>> pipeline = FullPythonAUPipeline(models="open", detector=Mine())
    """

    def detect(self, image: npt.NDArray[Any]) -> Sequence[_HasBox]:
        """Find the faces in a BGR image; each has a ``box``: x, y, width, height in px, best face first."""
        ...


@dataclass(frozen=True, eq=False)
class FaceBox:
    """A face as an adapter gives it.

    Attributes
    ----------
    box : ndarray of float32, shape (4,)
        x, y, width, height in px, corrected to the extent of the 68 landmarks.
    score : float
        The detector's own score; NaN where it has none.

    Examples
    --------
    >>> from pyfaceau.detectors import FaceBox
    >>> FaceBox((60, 125, 227, 221)).box
    (60, 125, 227, 221)
    """

    box: Box
    score: float = float("nan")


@dataclass(frozen=True)
class BoxCorrection:
    """Turns a detector's box (X, Y, W, H) into (X + x W, Y + y H, width W, height H).

    Attributes
    ----------
    x, y : float
        Shift of the upper left corner as fractions of the box's size.
    width, height : float
        Factors of the size.

    Examples
    --------
    >>> from pyfaceau.detectors import BoxCorrection
    >>> BoxCorrection(y=0.25, height=0.75).apply((0, 0, 100, 100)).tolist()
    [0.0, 25.0, 100.0, 75.0]
    """

    x: float = 0.0
    y: float = 0.0
    width: float = 1.0
    height: float = 1.0

    def apply(self, box: npt.ArrayLike) -> Box:
        """Correct one box, shape (4,)."""
        left, top, width, height = (float(v) for v in np.asarray(box))
        return np.array(
            [left + self.x * width, top + self.y * height, self.width * width, self.height * height],
            np.float32,
        )


# benchmarks/results/detector-boxes.json: medians over 378 and 340 faces of sample images, videos and clips.
YUNET_CORRECTION = BoxCorrection(-0.0208, 0.2433, 1.0445, 0.77)
HAAR_CORRECTION = BoxCorrection(0.0943, 0.2462, 0.8391, 0.8396)


class YuNetDetector:
    """OpenCV's YuNet (``cv2.FaceDetectorYN``).

    Parameters
    ----------
    model : path-like
        The model file, such as ``face_detection_yunet_2023mar.onnx`` of OpenCV's model zoo. It does not come with this
        package.
    score_threshold : float, default 0.7
        Smallest score of a face.
    correction : BoxCorrection, optional
        From YuNet's boxes to the extent of the landmarks.

    Raises
    ------
    FileNotFoundError
        There is no such model file.
    ValueError
        OpenCV cannot read the file, or the threshold is out of range.

    Notes
    -----
    `detect` may be called from several threads; the calls take turns.

    Examples
    --------
    >>> from pyfaceau.detectors import YuNetDetector
    >>> detector = YuNetDetector("face_detection_yunet_2023mar.onnx")  # doctest: +SKIP
    """

    def __init__(
        self,
        model: str | os.PathLike[str],
        score_threshold: float = 0.7,
        correction: BoxCorrection = YUNET_CORRECTION,
    ) -> None:
        if not 0 <= score_threshold <= 1:
            raise ValueError(f"score_threshold is {score_threshold}; pass a number in 0..1")
        self.model = Path(model)
        self.score_threshold = score_threshold
        self.correction = correction
        if not self.model.is_file():
            raise FileNotFoundError(
                f"{self.model}: no such file; get YuNet's model file from OpenCV's model zoo"
            )
        try:
            self._network = cv2.FaceDetectorYN.create(str(self.model), "", (320, 320), score_threshold)
        except cv2.error as error:
            raise ValueError(f"{self.model}: OpenCV cannot read it as YuNet's model ({error.err})") from error
        self._lock = threading.Lock()

    def __reduce__(self) -> tuple[Any, ...]:
        return YuNetDetector, (self.model, self.score_threshold, self.correction)

    def __repr__(self) -> str:
        return f"YuNetDetector({self.model.name!r}, score_threshold={self.score_threshold:g})"

    def detect(self, image: npt.NDArray[Any]) -> list[FaceBox]:
        """Find the faces in an image, best score first.

        Parameters
        ----------
        image : ndarray, shape (rows, cols[, 3 or 4]), uint8 or uint16
            BGR, BGRA or grey.

        Returns
        -------
        list of FaceBox
            Empty where there is no face.

        Raises
        ------
        TypeError, ValueError
            The image is not as described.
        """
        pixels = as_bgr(image)
        with self._lock:
            self._network.setInputSize((pixels.shape[1], pixels.shape[0]))
            _, rows = self._network.detect(pixels)
        if rows is None:
            return []
        ordered = sorted(rows, key=lambda row: -float(row[14]))
        return [FaceBox(self.correction.apply(row[:4]), float(row[14])) for row in ordered]


class HaarDetector:
    """OpenCV's Haar cascade for frontal faces, which comes with OpenCV.

    Parameters
    ----------
    cascade : path-like, optional
        A cascade file; OpenCV's ``haarcascade_frontalface_alt.xml`` by default, as in OpenFace.
    scale_factor : float, default 1.2
        Factor between two sizes that are searched.
    neighbours : int, default 2
        Hits that make a face.
    min_face_size : int, default 50
        Side of the smallest face, px.
    correction : BoxCorrection, optional
        From the cascade's squares to the extent of the landmarks.

    Raises
    ------
    FileNotFoundError
        There is no such cascade file.
    ValueError
        OpenCV cannot read the file, or a number is out of range.

    Notes
    -----
    The numbers are those of OpenFace 2.2 (``LandmarkDetectorUtils.cpp``). `detect` may be called from several threads;
    the calls take turns.

    Examples
    --------
    >>> import cv2
    >>> from pyfaceau.demo import DEMO_PORTRAIT
    >>> from pyfaceau.detectors import HaarDetector
    >>> len(HaarDetector().detect(cv2.imread(str(DEMO_PORTRAIT))))
    1
    """

    def __init__(
        self,
        cascade: str | os.PathLike[str] | None = None,
        scale_factor: float = 1.2,
        neighbours: int = 2,
        min_face_size: int = 50,
        correction: BoxCorrection = HAAR_CORRECTION,
    ) -> None:
        if scale_factor <= 1 or neighbours < 0 or min_face_size < 1:
            raise ValueError("scale_factor must be above 1, neighbours at least 0, min_face_size at least 1")
        self.cascade = _default_cascade() if cascade is None else Path(cascade)
        self.scale_factor = scale_factor
        self.neighbours = neighbours
        self.min_face_size = min_face_size
        self.correction = correction
        if not self.cascade.is_file():
            raise FileNotFoundError(f"{self.cascade}: no such cascade file")
        self._classifier = cv2.CascadeClassifier()
        try:
            loaded = self._classifier.load(str(self.cascade))
        except (cv2.error, SystemError):  # OpenCV's binding raises either for a damaged file
            loaded = False
        if not loaded or self._classifier.empty():
            raise ValueError(f"{self.cascade}: OpenCV cannot read it as a cascade")
        self._lock = threading.Lock()

    def __reduce__(self) -> tuple[Any, ...]:
        return HaarDetector, (
            self.cascade,
            self.scale_factor,
            self.neighbours,
            self.min_face_size,
            self.correction,
        )

    def __repr__(self) -> str:
        return f"HaarDetector({self.cascade.name!r}, min_face_size={self.min_face_size})"

    def detect(self, image: npt.NDArray[Any]) -> list[FaceBox]:
        """Find the faces in an image, widest first; see :meth:`YuNetDetector.detect`."""
        grey = cv2.cvtColor(as_bgr(image), cv2.COLOR_BGR2GRAY)
        smallest = (self.min_face_size, self.min_face_size)
        with self._lock:
            squares = self._classifier.detectMultiScale(
                grey, scaleFactor=self.scale_factor, minNeighbors=self.neighbours, minSize=smallest
            )
        # OpenCV's threads give the squares in any order.
        ordered = sorted((tuple(int(v) for v in square) for square in squares), key=lambda s: (-s[2], *s))
        return [FaceBox(self.correction.apply(square)) for square in ordered]


def _default_cascade() -> Path:
    return Path(cast(Any, cv2).data.haarcascades) / "haarcascade_frontalface_alt.xml"


class ConstantBox:
    """Takes the same box for a face in every frame, for a camera and a face that stay where they are.

    Parameters
    ----------
    box : array_like, shape (4,)
        x, y, width, height in px, from eyebrows to chin and from ear to ear.

    Raises
    ------
    ValueError
        The box is not four finite numbers with a positive size.

    Examples
    --------
    >>> import numpy as np
    >>> from pyfaceau.detectors import ConstantBox
    >>> ConstantBox((110, 111, 185, 164)).detect(np.zeros((240, 320), np.uint8))[0].box.tolist()
    [110.0, 111.0, 185.0, 164.0]
    """

    def __init__(self, box: npt.ArrayLike) -> None:
        values = np.array(box, np.float32)
        if values.shape != (4,) or not np.isfinite(values).all() or (values[2:] <= 0).any():
            raise ValueError(f"box is {box!r}; pass x, y, width and height with a positive size")
        self.box = values

    def __repr__(self) -> str:
        return f"ConstantBox({[float(v) for v in self.box]})"

    def detect(self, image: npt.NDArray[Any]) -> list[FaceBox]:
        """Return the box, whatever is in the image."""
        del image
        return [FaceBox(self.box.copy())]


def make_detector(
    detector: str | FaceDetector = "mtcnn",
    weights: str | os.PathLike[str] | DetectorWeights | None = None,
) -> FaceDetector:
    """Make the detector that was asked for.

    Parameters
    ----------
    detector : str or object
        ``"mtcnn"``, or the name of an engine of :class:`pymtcnn.MTCNN` (``"auto"``, ``"native"``, ``"cuda"``, ...) for
        MTCNN on it; ``"haar"``; ``"yunet:PATH"`` with the path of YuNet's model file; or an object with
        ``detect(image)``, which is returned as it is.
    weights : path-like or DetectorWeights, optional
        MTCNN's weights; those that pymtcnn finds by itself by default.

    Returns
    -------
    FaceDetector
        Something with ``detect(image)``.

    Raises
    ------
    ValueError
        There is no detector of this name, or YuNet has no model file.
    TypeError
        The object has no ``detect``.
    FileNotFoundError
        The model file is not there.
    pymtcnn.PyMTCNNError
        The engine cannot run here, or MTCNN's weights are missing or damaged.

    Examples
    --------
    >>> from pyfaceau.detectors import make_detector
    >>> make_detector("haar")
    HaarDetector('haarcascade_frontalface_alt.xml', min_face_size=50)
    """
    if not isinstance(detector, str):
        if not callable(getattr(detector, "detect", None)):
            raise TypeError(
                f"detector must be one of {', '.join(DETECTORS)} or an object with detect(image), "
                f"not {type(detector).__name__}"
            )
        return detector
    from pymtcnn import MTCNN
    from pymtcnn.backends import ENGINES

    name, _, argument = detector.partition(":")
    if name == "yunet":
        return _yunet(argument)
    if name == "haar" and not argument:
        return HaarDetector()
    if not argument and name in ("mtcnn", "auto", *ENGINES):
        return MTCNN(backend=cast("BackendName", "auto" if name == "mtcnn" else name), weights=weights)
    names = ", ".join((*DETECTORS, "auto", *ENGINES))
    raise ValueError(f"unknown detector {detector!r}; choose one of {names} (yunet as yunet:PATH)")


def _yunet(path: str) -> YuNetDetector:
    if not path:
        raise ValueError(
            "YuNet's model file does not come with this package: get face_detection_yunet_2023mar.onnx from OpenCV's "
            'model zoo and pass detector="yunet:PATH"'
        )
    return YuNetDetector(path)
