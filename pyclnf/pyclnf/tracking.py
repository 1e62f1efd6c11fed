"""Landmarks of one face through a video: detection, tracking, loss and recovery."""

from __future__ import annotations

import math
import os
from collections.abc import Sequence
from copy import copy
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from ._state import Rebuilding, State, StateLike, StateReader, below, count, flag, read_whole, rebuilt
from .clnf import load_model
from .config import FitParameters
from .core.initialisation import fit_in_image
from .core.model import LandmarkModel
from .core.optimizer import FitState, Fitter
from .core.template import FaceTemplate
from .errors import PyCLNFError
from .fit import FaceFit, face_fit
from .image import Frame, whole
from .overlap import checked_box, is_box
from .picture import Grey, GreyFrame

# OpenFace 2.2: LandmarkDetectorFunc.cpp, DetectLandmarksInVideo
_FIRST_SEARCH_FACTOR = 6  # a face never seen is looked for in every 6 * reinitialise_every-th frame
_GIVE_UP_AFTER = 100  # failures in a row after which tracking starts anew


class Detection(Protocol):
    """A detected face: at least its box."""

    @property
    def box(self) -> npt.NDArray[np.float32]:
        """x, y, width, height in px."""
        ...


class FaceDetector(Protocol):
    """Any detector whose boxes enclose a face from chin to eyebrows, such as ``pymtcnn.MTCNN``.

    Examples
    --------
    >>> from types import SimpleNamespace
    >>> class Fixed:
    ...     def detect(self, image):
    ...         return [SimpleNamespace(box=(100, 60, 120, 130))]
    """

    def detect(self, image: npt.NDArray[Any]) -> Sequence[Detection]:
        """Faces in a BGR image. Boxes that are not finite or have no size are passed over."""
        ...


@dataclass(frozen=True, eq=False)
class _Restored:
    """A checked state of a tracker."""

    initialised: bool
    failures: int
    fit: list[FitState]
    template: FaceTemplate | None
    preference: npt.NDArray[np.float64] | None


class FaceTracker:
    """Tracks the landmarks of one face from frame to frame.

    Parameters
    ----------
    model : str, path-like or LandmarkModel
        See :class:`~pyclnf.CLNF`.
    detector : FaceDetector, optional
        Finds the face at the start and after a loss; ``pymtcnn.MTCNN()`` by default.
    parameters : FitParameters, optional
        OpenFace's for this model by default.
    threads : int
        Threads per fit; results do not depend on it.

    Notes
    -----
    The state machine is OpenFace's ``DetectLandmarksInVideo``. A face that was never seen is searched for in every
    twelfth frame; a lost face is searched for at once and then in every second frame. In between, the fit goes on from
    its last position with large windows.

    Examples
    --------
    >>> import numpy as np
    >>> from types import SimpleNamespace
    >>> from pyclnf import FaceTracker
    >>> detector = SimpleNamespace(detect=lambda image: [])  # or pymtcnn.MTCNN(), which is the default
    >>> tracker = FaceTracker("open", detector)
    >>> tracker.track(np.zeros((240, 320, 3), np.uint8)).tracked  # the frame is black
    False
    >>> later = FaceTracker("open", detector)
    >>> later.restore(tracker.state())  # goes on where the other one stood
    """

    def __init__(
        self,
        model: str | os.PathLike[str] | LandmarkModel = "auto",
        detector: FaceDetector | None = None,
        *,
        parameters: FitParameters | None = None,
        threads: int = 1,
    ) -> None:
        self.model = load_model(model)
        self.parameters = parameters or FitParameters.for_model(self.model)
        self.detector = _default_detector() if detector is None else detector
        self.threads = threads
        self._fitter = Fitter(self.model, self.parameters, threads)
        self._grey = GreyFrame()
        self.reset()

    def __reduce__(self) -> Rebuilding:
        arguments = {
            "model": self.model,
            "detector": self.detector,
            "parameters": self.parameters,
            "threads": self.threads,
        }
        return rebuilt, (type(self), arguments, self.state())

    def reset(self) -> None:
        """Forget the face, as before the first frame of a video."""
        self._fitter.reset()
        self._initialised = False
        self._failures = -1
        self._template: FaceTemplate | None = None
        self._preference: tuple[float, float] | None = None

    def state(self) -> State:
        """Copy everything that the next frames depend on.

        Returns
        -------
        dict of str to ndarray
            Plain arrays. A tracker with the same model and parameters that takes them with :meth:`restore` goes on with
            identical results. The detector is not part of it.
        """
        state = {"initialised": flag(self._initialised), "failures": count(self._failures)}
        state |= below("fit", self._fitter.state())
        if self._template is not None:
            state |= below("template", self._template.state())
        if self._preference is not None:
            state["preference"] = np.array(self._preference, np.float64)
        return state

    def restore(self, state: StateLike) -> None:
        """Go on from what :meth:`state` returned.

        Parameters
        ----------
        state : mapping of str to ndarray
            Of a tracker with the same model and parameters.

        Raises
        ------
        KeyError, ValueError
            If an entry is missing, does not fit this model, or is unknown; the tracker is left as it was.
        """
        self._adopt(read_whole(state, self._read))

    def _read(self, state: StateReader) -> _Restored:
        return _Restored(
            state.flag("initialised"),
            state.count("failures", least=-1),
            self._fitter.read(state.nested("fit")),
            FaceTemplate.read(state.nested("template")) if "template" in state else None,
            state.array("preference", (2,), np.float64) if "preference" in state else None,
        )

    def _adopt(self, read: _Restored) -> None:
        self._initialised, self._failures = read.initialised, read.failures
        self._fitter.adopt(read.fit)
        self._template = read.template
        self._preference = (
            None
            if read.preference is None
            else (
                float(read.preference[0]),
                float(read.preference[1]),
            )
        )

    @property
    def tracking(self) -> bool:
        """Whether a face was found and has not been given up."""
        return self._initialised

    def prefer(self, x: float, y: float) -> None:
        """At the next detection, take the face whose box centre is nearest to this point (px) instead of the widest.

        Raises
        ------
        ValueError
            If a coordinate is not finite.
        """
        if not (math.isfinite(x) and math.isfinite(y)):
            raise ValueError(f"the preferred point must be finite, got ({x}, {y})")
        self._preference = (x, y)

    def track(self, frame: Frame, box: npt.ArrayLike | None = None) -> FaceFit:
        """Fit the next frame.

        Parameters
        ----------
        frame : ndarray, shape (rows, cols[, 3 or 4]), uint8 or uint16, or Picture
            BGR, BGRA or grey.
        box : array_like, shape (4,), optional
            Where the face is (x, y, width, height, px), if the caller knows; starts the fit there.

        Returns
        -------
        FaceFit
            With ``valid=False`` and the last landmarks where there is no face.

        Raises
        ------
        ValueError, TypeError
            If the frame or the box is not as described.
        """
        return self.track_grey(frame, self._grey.of(frame), box)

    def track_grey(self, frame: Frame, grey: Grey, box: npt.ArrayLike | None = None) -> FaceFit:
        """Fit the next frame, whose grey form is at hand; see :meth:`track`."""
        if box is not None:
            self._fitter.start(checked_box(box))
            self._initialised = True
        # The last verdict says nothing of a box from outside: search it with the large windows.
        self._given = box is not None
        return face_fit(self._fitter, self._step(frame, grey))

    def _step(self, frame: Frame, grey: Grey) -> bool:
        fitter, state, settings = self._fitter, self._fitter.present, self.parameters
        first = not self._initialised
        if self._initialised:
            follow = state.success and not self._given
            windows = settings.windows_track if follow else settings.windows_init
            if self._template is not None and follow:
                self._template.shift(state, self.model.pdm, grey)
            if fitter.detect(grey, windows):
                self._failures = -1
                self._remember(grey)
            else:
                self._failures += 1
        if self._search_now():
            found = self._find(frame)
            if found is not None:
                return self._start_at(found, grey, first)
        if not self._initialised:
            self._failures += 1
        if self._failures > _GIVE_UP_AFTER:
            self._initialised = False
        return fitter.present.success

    def _search_now(self) -> bool:
        every = self.parameters.reinitialise_every
        if not self._initialised:
            return (self._failures + 1) % (_FIRST_SEARCH_FACTOR * every) == 0 if every > 0 else True
        return not self._fitter.present.success and every > 0 and self._failures % every == 0

    def _start_at(self, box: npt.NDArray[np.float64], grey: Grey, first: bool) -> bool:
        """Start again in a box: a first detection always counts, a later one is undone if the validator rejects it."""
        fitter = self._fitter
        self._initialised = True
        before = copy(fitter.present)
        accepted = fit_in_image(fitter, grey, box, multi_view=True)
        if not first and not accepted:
            after = fitter.present
            # Success, certainty and parts stay those of the failed attempt.
            before.success, before.certainty = after.success, after.certainty
            fitter.present = before
            return False
        self._failures = -1
        self._remember(grey)
        return True

    def _remember(self, grey: Grey) -> None:
        if self.parameters.template_tracking:
            self._template = FaceTemplate.of(
                self._fitter.present, self.model.pdm, grey, self.parameters.template_scale
            )

    def _find(self, frame: Frame) -> npt.NDArray[np.float64] | None:
        found = (np.asarray(d.box, dtype=np.float64) for d in self.detector.detect(whole(frame)))
        boxes = [box for box in found if is_box(box)]
        if not boxes:
            return None
        if self._preference is not None:
            px, py = self._preference
            self._preference = None
            return min(boxes, key=lambda b: (b[0] + b[2] / 2 - px) ** 2 + (b[1] + b[3] / 2 - py) ** 2)
        return max(boxes, key=lambda b: float(b[2]))


def _default_detector() -> FaceDetector:
    try:
        from pymtcnn import MTCNN
    except ImportError as error:
        raise PyCLNFError(
            "FaceTracker needs a face detector: pip install 'pyclnf[detector]', or pass detector=..."
        ) from error
    detector: FaceDetector = MTCNN()
    return detector
