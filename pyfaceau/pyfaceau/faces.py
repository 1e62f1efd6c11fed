"""One face's way from its fit to its result: pose, gaze, 3D landmarks, action units."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from pyclnf import FaceFit, LandmarkModel
from pyclnf.gaze import estimate_gaze
from pyclnf.image import Frame
from pyclnf.pose import Camera, head_pose, landmarks_3d

from .analyser import FaceAnalyser
from .analysis import FrameAnalysis
from .result import FrameResult
from .video import VideoFrame


@dataclass(frozen=True)
class Intrinsics:
    """What the caller knows about the camera, in px; None is guessed from the frame size.

    Attributes
    ----------
    fx, fy : float or None
        Focal lengths.
    cx, cy : float or None
        Optical centre.
    """

    fx: float | None = None
    fy: float | None = None
    cx: float | None = None
    cy: float | None = None

    def camera(self, image: Frame) -> Camera:
        """Camera of an image."""
        return Camera.for_size(image.shape[1], image.shape[0], fx=self.fx, fy=self.fy, cx=self.cx, cy=self.cy)


class FaceStage:
    """Everything after the landmarks.

    Parameters
    ----------
    model : LandmarkModel
        That makes the fits.
    intrinsics : Intrinsics
    """

    def __init__(self, model: LandmarkModel, intrinsics: Intrinsics) -> None:
        self._model = model
        self._intrinsics = intrinsics

    def in_sequence(
        self,
        frame: VideoFrame,
        face_id: int,
        fit: FaceFit,
        analyser: FaceAnalyser,
        groups: Collection[str],
        number: int | None = None,
    ) -> FrameResult:
        """Analyse the next frame of a face; gaze and 3D landmarks are computed only for their `groups` of columns.

        `number` is the frame's in the whole sequence, where that has several parts.
        """
        number = frame.number if number is None else number
        analysis = analyser.process(frame.picture, fit.landmarks, fit.valid, number)
        return self._result(frame, face_id, fit, analyser, analysis, groups)

    def in_image(
        self,
        frame: VideoFrame,
        face_id: int,
        fit: FaceFit,
        analyser: FaceAnalyser,
        groups: Collection[str],
    ) -> FrameResult:
        """Analyse a face in a single image, whether or not the validator accepts it, as in OpenFace."""
        analysis = analyser.analyse_image(frame.picture, fit.landmarks)
        return self._result(frame, face_id, fit, analyser, analysis, groups)

    def _result(
        self,
        frame: VideoFrame,
        face_id: int,
        fit: FaceFit,
        analyser: FaceAnalyser,
        analysis: FrameAnalysis,
        groups: Collection[str],
    ) -> FrameResult:
        want_gaze = "gaze" in groups or "eye_landmarks" in groups
        want_3d = "landmarks_3d" in groups
        camera = self._intrinsics.camera(frame.picture)
        seen = bool(fit.landmarks.any())  # all 0 until there is a first face
        shape = (self._model.pdm, fit.params_global, fit.params_local, fit.landmarks, camera)
        pose = head_pose(*shape) if seen else np.full(6, np.nan)
        gaze = estimate_gaze(self._model, fit, pose, camera, frame.picture) if want_gaze and seen else None
        return FrameResult(
            frame.number,
            frame.timestamp,
            face_id,
            fit.tracked,
            fit.confidence,
            fit.landmarks if seen else np.full_like(fit.landmarks, np.nan),
            landmarks_3d(*shape) if want_3d and seen else None,
            pose,
            gaze,
            _by_name(analyser.intensity_names, analysis.intensities, float),
            _by_name(analyser.presence_names, analysis.presences, int),
            fit,
            analysis,
        )


def _by_name(columns: tuple[str, ...], values: npt.NDArray[np.float64], kind: type) -> dict[str, Any]:
    """Values by action unit: columns "AU01_r", "AU01_r_static" become "AU01", "AU01_static"."""
    names = (column.replace("_r", "", 1).replace("_c", "", 1) for column in columns)
    return {name: kind(value) for name, value in zip(names, values, strict=True)}
