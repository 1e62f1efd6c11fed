"""Draws a result into its frame: landmarks, eyes, gaze, head box, action units."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol

import cv2
import numpy as np
import numpy.typing as npt

from pyclnf.gaze import Gaze
from pyclnf.geometry import euler_to_matrix
from pyclnf.pose import Camera

from ..result import FrameResult

Colour = tuple[int, int, int]
Floats = npt.NDArray[np.floating]

# Blue, green, red.
_LANDMARK: Colour = (60, 220, 255)
_EYELID: Colour = (255, 200, 60)
_IRIS: Colour = (80, 255, 80)
_GAZE: Colour = (200, 60, 255)
_SURE: Colour = (255, 120, 30)
_UNSURE: Colour = (40, 40, 230)
_PRESENT: Colour = (80, 220, 80)
_ABSENT: Colour = (190, 190, 190)
_TEXT: Colour = (255, 255, 255)
_SHADE: Colour = (0, 0, 0)  # around numbers that stand in the frame

_SHIFT = 4  # fractional bits of OpenCV's drawing coordinates
_HEAD_BOX = 200.0  # mm
_GAZE_LENGTH = 90.0  # mm
_NEAR = 10.0  # mm before the camera; what is nearer is not drawn
# Parts of an eye model: outline of the iris, of the lids, of the pupil.
_EYE_OUTLINES = ((slice(0, 8), _IRIS), (slice(8, 20), _EYELID), (slice(20, 28), _IRIS))
_EYE_POINTS = 28
_PUPIL = slice(20, 28)
_FULL_BAR = 5.0  # intensity
# Lines of action units, px: height, widths of the name and of the bar, gap to the next panel.
_LINE, _NAMES, _BAR, _GAP = 17, 44, 70, 14

_CORNERS = np.array([[x, y, z] for x in (-0.5, 0.5) for y in (-0.5, 0.5) for z in (-0.5, 0.5)])
_EDGES = tuple(
    (a, b) for a in range(8) for b in range(a + 1, 8) if np.count_nonzero(_CORNERS[a] != _CORNERS[b]) == 1
)


class DrawableFace(Protocol):
    """What is drawn of a face; `FrameResult` has it."""

    @property
    def confidence(self) -> float:
        """Certainty, 0 to 1."""

    @property
    def landmarks(self) -> npt.NDArray[np.float32]:
        """Landmarks, shape (68, 2), in px of the image."""

    @property
    def pose(self) -> npt.NDArray[np.float64]:
        """Head pose, shape (6,), mm and radians; one that is not finite is not drawn."""

    @property
    def gaze(self) -> Gaze | None:
        """Eyes and gaze."""


def draw_result(
    image: npt.NDArray[np.uint8],
    result: FrameResult,
    camera: Camera | None = None,
    *,
    action_units: bool = True,
) -> None:
    """Draw a face and what is known of it into a frame; see `draw_results`."""
    draw_results(image, [result], camera, action_units=action_units)


def draw_results(
    image: npt.NDArray[np.uint8],
    results: Sequence[FrameResult],
    camera: Camera | None = None,
    *,
    action_units: bool = True,
    rejected: bool = False,
) -> None:
    """Draw the faces of a frame and what is known of them.

    Parameters
    ----------
    image : ndarray, shape (H, W, 3), uint8
        BGR; drawn into.
    results : sequence of FrameResult
        Of this frame. A face that is lost gets a note only, unless `rejected`.
    camera : Camera, optional
        That the pose was computed with; guessed from the frame size by default.
    action_units : bool
        Draw bars of the action units as they were predicted when the frame came, from left to right for
        several faces.
    rejected : bool
        Draw what the validator rejects too.
    """
    height, width = image.shape[:2]
    camera = camera or Camera.for_size(width, height)
    unit = max(min(height, width) / 480, 0.5)  # sizes follow the frame
    several = len(results) > 1
    shown = [
        result for result in results if not np.isnan(result.landmarks).any() and (result.tracked or rejected)
    ]
    if action_units:  # below the faces
        panel_unit = min(unit, 2.0) * (0.7 if several else 1.0)
        width = action_unit_panel_width(panel_unit)
        for panel, result in enumerate(shown):
            heading = f"face {result.face_id}" if several else None
            draw_action_units(image, result, 4 + panel * width, panel_unit, heading)
    for result in shown:
        draw_face(image, result, camera, unit)
        if several:
            x, y = result.landmarks.max(axis=0)
            place = (round(float(x)) + 4, round(float(y)))
            _text(image, str(result.face_id), place, 1.6 * unit, _SHADE, 3)
            _text(image, str(result.face_id), place, 1.6 * unit, _TEXT)
    if len(shown) < len(results):
        lost = ", ".join(str(result.face_id) for result in results if result not in shown)
        _text(image, f"face {lost} lost" if several else "no face", (8, height - 8), unit, _UNSURE)


def draw_face(
    image: npt.NDArray[np.uint8],
    face: DrawableFace,
    camera: Camera,
    unit: float,
    colour: Colour = _LANDMARK,
    depth: float = 1.0,
    *,
    box: bool = True,
) -> None:
    """Draw head box, landmarks, eyes and gaze of one face.

    Parameters
    ----------
    image : ndarray, shape (H, W, 3), uint8
        BGR; drawn into.
    face : DrawableFace
    camera : Camera
        That the pose was computed with, in px of `image`.
    unit : float
        Thickness of lines; 1 suits a frame of 480 px.
    colour : (int, int, int)
        Of the landmarks: blue, green, red.
    depth : float
        How far the head box comes forward, as in `head_box`.
    box : bool
        Draw the head box.
    """
    if box:
        _draw_pose(image, face, camera, unit, depth)
    _draw_points(image, face.landmarks, max(1.0, 0.012 * _face_height(face)), colour)
    _draw_eyes(image, face, camera, unit)


def head_box(
    pose: npt.NDArray[np.float64], camera: Camera, depth: float = 1.0
) -> npt.NDArray[np.float64] | None:
    """Project the box around a head.

    Parameters
    ----------
    pose : ndarray, shape (6,)
        mm and radians.
    camera : Camera
    depth : float
        1 for OpenFace's cube. Less moves its front back towards the face, as the front of a cube around a head near
        the camera is larger than the picture.

    Returns
    -------
    ndarray, shape (8, 2), or None
        Corners in px; None if one is behind the camera.
    """
    pose = np.asarray(pose, np.float64)
    corners = _CORNERS.copy()
    corners[corners[:, 2] < 0, 2] *= depth
    return _project(_HEAD_BOX * corners @ euler_to_matrix(pose[3:]).T + pose[:3], camera)


def _face_height(face: DrawableFace) -> float:
    return float(np.ptp(face.landmarks[:, 1]))


def _fixed(points: Floats) -> npt.NDArray[np.int32]:
    """Bring points into OpenCV's fixed-point coordinates, far ones to where they still fit."""
    return np.rint(np.clip(points, -1e5, 1e5) * (1 << _SHIFT)).astype(np.int32)


def _draw_points(image: npt.NDArray[np.uint8], points: Floats, radius: float, colour: Colour) -> None:
    for x, y in _fixed(points):
        cv2.circle(image, (int(x), int(y)), round(radius * (1 << _SHIFT)), colour, -1, cv2.LINE_AA, _SHIFT)


def _draw_line(image: npt.NDArray[np.uint8], ends: Floats, colour: Colour, thickness: int) -> None:
    (x0, y0), (x1, y1) = _fixed(ends)
    cv2.line(image, (int(x0), int(y0)), (int(x1), int(y1)), colour, thickness, cv2.LINE_AA, _SHIFT)


def _project(points: Floats, camera: Camera) -> npt.NDArray[np.float64] | None:
    """Project camera-space points into the image; None if one is behind or too near."""
    if not np.isfinite(points).all() or points[:, 2].min() < _NEAR:
        return None
    out = np.empty((len(points), 2))
    out[:, 0] = camera.fx * points[:, 0] / points[:, 2] + camera.cx
    out[:, 1] = camera.fy * points[:, 1] / points[:, 2] + camera.cy
    return out


def _draw_pose(
    image: npt.NDArray[np.uint8], result: DrawableFace, camera: Camera, unit: float, depth: float
) -> None:
    projected = head_box(result.pose, camera, depth)
    if projected is None:
        return
    doubt = 1.0 - float(np.clip(result.confidence, 0, 1))
    blend = [round(s + doubt * (u - s)) for s, u in zip(_SURE, _UNSURE, strict=True)]
    for a, b in _EDGES:
        _draw_line(image, projected[[a, b]], (blend[0], blend[1], blend[2]), max(1, round(1.5 * unit)))


def _draw_eyes(image: npt.NDArray[np.uint8], result: DrawableFace, camera: Camera, unit: float) -> None:
    gaze = result.gaze
    if gaze is None:
        return
    for eye, direction in enumerate(gaze.directions):
        part = slice(eye * _EYE_POINTS, (eye + 1) * _EYE_POINTS)
        for outline, colour in _EYE_OUTLINES:
            points = _fixed(gaze.landmarks[part][outline]).reshape(-1, 1, 2)
            cv2.polylines(image, [points], True, colour, 1, cv2.LINE_AA, _SHIFT)
        pupil = gaze.landmarks_3d[part][_PUPIL].mean(axis=0)
        ray = _project(np.stack([pupil, pupil + _GAZE_LENGTH * direction]), camera)
        if ray is not None:
            _draw_line(image, ray, _GAZE, max(1, round(2 * unit)))


def action_unit_panel_width(unit: float) -> int:
    """Px from the left of one panel of `draw_action_units` to the left of the next."""
    return round(_NAMES * unit) + round(_BAR * unit) + round(_GAP * unit)


def draw_action_units(
    image: npt.NDArray[np.uint8], result: FrameResult, left: int, unit: float, heading: str | None = None
) -> None:
    """Draw one line an action unit: name, bar of the intensity, green where it is present.

    Parameters
    ----------
    image : ndarray, shape (H, W, 3), uint8
        BGR; drawn into, over a darkened background.
    result : FrameResult
        Of the face.
    left : int
        Where the panel begins, in px.
    unit : float
        Size; 1 gives lines of 17 px. They get narrower where the image is too low for them.
    heading : str, optional
        A line above the others.
    """
    names = sorted(
        name for name in {*result.au_intensities, *result.au_presences} if not name.endswith("_static")
    )
    if not names:
        return
    if heading is not None:
        names.insert(0, heading)
    step = min(round(_LINE * unit), (image.shape[0] - 8) // len(names))
    letters, bar = round(_NAMES * unit), round(_BAR * unit)
    region = image[4 : 4 + step * len(names), left : left + letters + bar + 4]
    region[:] = (region * np.float32(0.45)).astype(np.uint8)
    intensities: Mapping[str, float] = result.au_intensities
    for row, name in enumerate(names):
        top = 4 + row * step
        present = bool(result.au_presences.get(name, 0))
        colour = _PRESENT if present else _ABSENT
        _text(image, name, (left + 2, top + round(0.78 * step)), step / 20, colour)
        start = left + letters
        value = intensities.get(name)
        if value is None:  # only its presence is known
            if present:
                centre = (start + step // 3, top + step // 2)
                cv2.circle(image, centre, max(2, step // 4), colour, -1, cv2.LINE_AA)
            continue
        length = round(bar * float(np.clip(value, 0, _FULL_BAR)) / _FULL_BAR)
        cv2.rectangle(image, (start, top + 2), (start + bar, top + step - 3), _ABSENT, 1)
        if length:
            cv2.rectangle(image, (start, top + 2), (start + length, top + step - 3), colour, -1)


def _text(
    image: npt.NDArray[np.uint8],
    text: str,
    place: tuple[int, int],
    size: float,
    colour: Colour = _TEXT,
    thickness: int = 1,
) -> None:
    cv2.putText(image, text, place, cv2.FONT_HERSHEY_SIMPLEX, 0.5 * size, colour, thickness, cv2.LINE_AA)
