"""What the action-unit stage says about one frame and about a sequence, and what it measures against."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from .alignment.aligner import AU_SIZE, ShapeModel
from .errors import BaselineError
from .features.descriptor import HOG_SHAPE, DeformableModel
from .state import State, as_text, from_text

Floats = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Baseline:
    """A person at rest, against which dynamic action units are measured.

    Attributes
    ----------
    features : ndarray of shape (n_features,), float64
        Median feature vector.
    intensities : ndarray of shape (n_intensities,), float64
        Intensity of each action unit at rest; 0 for those that are not shifted (static models).
    source : str
        Where it comes from, for the record.

    Examples
    --------
    From a recording by ``pipeline.baseline_of("rest.mp4")``, or from numbers:

    >>> import numpy as np
    >>> from pyfaceau import Baseline
    >>> Baseline(np.zeros(4702), np.zeros(17), source="rest.mp4")
    Baseline(source='rest.mp4')
    """

    features: Floats
    intensities: Floats
    source: str = ""

    def __repr__(self) -> str:
        return f"Baseline(source={self.source!r})"

    def state(self) -> State:
        """Return copies of its arrays, and its source."""
        return {
            "features": self.features.copy(),
            "intensities": self.intensities.copy(),
            "source": as_text(self.source),
        }

    @classmethod
    def from_state(cls, state: State) -> Baseline:
        """Make the baseline that `state` describes; raises KeyError if something is missing."""
        return cls(
            np.array(state["features"], np.float64),
            np.array(state["intensities"], np.float64),
            from_text(state["source"]),
        )


BaselineFrames = tuple[int, int]


def checked_frames(first_and_last: object) -> BaselineFrames:
    """Return the first and last frame of a baseline, counted from 1, both included.

    Raises
    ------
    ValueError
        They are not two whole numbers with ``1 <= first <= last``.
    """
    if isinstance(first_and_last, (tuple, list)) and len(first_and_last) == 2:
        first, last = first_and_last
        whole = all(isinstance(n, (int, np.integer)) and not isinstance(n, bool) for n in (first, last))
        if whole and 1 <= first <= last:
            return int(first), int(last)
    raise ValueError(
        f"baseline frames are (first, last), counted from 1, both included; got {first_and_last!r}"
    )


def check_baseline_size(baseline: Baseline, n_features: int, n_intensities: int) -> None:
    """Raise `BaselineError` unless a baseline fits the action-unit models."""
    if baseline.features.shape != (n_features,) or baseline.intensities.shape != (n_intensities,):
        raise BaselineError("the baseline was made with other action-unit models; make it anew with these")


@dataclass(frozen=True, eq=False)
class FrameAnalysis:
    """Action units of one frame and what they were computed from. A frame without a face holds zeros.

    Attributes
    ----------
    valid : bool
        Whether the frame has a face that the validator accepts.
    intensities : ndarray of shape (n_intensities,), float64
        As predicted when the frame arrived, in the order of `FaceAnalyser.intensity_names`. Not clipped,
        except from live analysers and single images.
    presences : ndarray of shape (n_presences,), float64
        0 or 1, in the order of `FaceAnalyser.presence_names`.
    aligned_face : ndarray of shape (112, 112, 3), uint8
        Aligned, masked face, blue, green, red.
    hog : ndarray of shape (12, 12, 31), float32
        FHOG of the aligned face.
    params_global : ndarray of shape (6,), float32
        Model fitted to the landmarks: scale in px/mm, pitch, yaw, roll in rad, x and y in px.
    params_local : ndarray of shape (m,), float32
        Its shape parameters.
    aligned_landmarks : ndarray of shape (68, 2), float32, or None
        The landmarks in px of `aligned_face`; None without a face.

    Examples
    --------
    >>> import cv2
    >>> from pyfaceau import FullPythonAUPipeline
    >>> from pyfaceau.demo import DEMO_PORTRAIT
    >>> image = cv2.imread(str(DEMO_PORTRAIT))
    >>> analysis = FullPythonAUPipeline(models="open").process_image(image)[0].analysis
    >>> analysis.aligned_face.shape, analysis.hog.shape
    ((112, 112, 3), (12, 12, 31))
    """

    valid: bool
    intensities: Floats
    presences: Floats
    aligned_face: NDArray[np.uint8]
    hog: NDArray[np.float32]
    params_global: NDArray[np.float32]
    params_local: NDArray[np.float32]
    aligned_landmarks: NDArray[np.float32] | None = None

    def __repr__(self) -> str:
        present = f"{int(self.presences.sum())} of {len(self.presences)} action units present"
        return f"<FrameAnalysis: {present if self.valid else 'no face'}>"

    @classmethod
    def without_face(cls, n_intensities: int, n_presences: int, n_modes: int) -> FrameAnalysis:
        """Make the result of a frame without a face; its arrays may be shared, so they are read-only."""
        arrays = (
            np.zeros(n_intensities),
            np.zeros(n_presences),
            np.zeros((AU_SIZE, AU_SIZE, 3), np.uint8),
            np.zeros(HOG_SHAPE, np.float32),
            np.zeros(6, np.float32),
            np.zeros(n_modes, np.float32),
        )
        for array in arrays:
            array.flags.writeable = False
        return cls(False, *arrays)


@dataclass(frozen=True, eq=False)
class SequenceAnalysis:
    """Action units of a sequence.

    Attributes
    ----------
    intensities : ndarray of shape (n_frames, n_intensities), float64
        Within 0..5 after the final pass.
    presences : ndarray of shape (n_frames, n_presences), float64
        0 or 1.
    valid : ndarray of shape (n_frames,), bool
        Frames with a face.

    Examples
    --------
    >>> import numpy as np
    >>> from pyfaceau import SequenceAnalysis
    >>> SequenceAnalysis(np.zeros((3, 17)), np.zeros((3, 18)), np.array([True, True, False]))
    <SequenceAnalysis: 3 frames, a face in 2, 17 intensities>
    """

    intensities: Floats
    presences: Floats
    valid: NDArray[np.bool_]

    def __repr__(self) -> str:
        n, units = self.intensities.shape
        return f"<SequenceAnalysis: {n} frames, a face in {int(self.valid.sum())}, {units} intensities>"


class FittableModel(ShapeModel, DeformableModel, Protocol):
    """What the analyser needs of a point distribution model."""

    def fit_landmarks(
        self, landmarks: NDArray[np.float32]
    ) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Global (6,) and local (m,) parameters of landmarks (68, 2)."""
