"""Pictures of the moments in which action units are strongest, with what was found drawn into them."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt
import pandas as pd

from .._html import jpeg_address
from ..output.drawing import draw_face
from ..overlay import TableFaces, camera_of, moved_camera
from ..progress import ProgressCallback, progress_reporter
from ..video import BGRImage, open_video
from .exports import Event

_SIDE = 400  # px of a picture, twice what is shown, for fine screens
_AROUND = 1.7  # widths of the face
_MOST = 12


@dataclass(frozen=True)
class ApexPicture:
    """A picture of an event.

    Attributes
    ----------
    event : Event
    address : str
        ``data:`` address of a JPEG.
    width, height : int
        px.
    """

    event: Event
    address: str
    width: int
    height: int


def strongest(events: Sequence[Event], hints: Sequence[str], most: int = _MOST) -> list[Event]:
    """Choose the strongest event of each unit; units that are hints only come last.

    Parameters
    ----------
    events : sequence of Event
    hints : sequence of str
    most : int

    Returns
    -------
    list of Event
        At most `most`, in the order of the units.
    """
    best: dict[str, Event] = {}
    for event in events:
        if event.unit not in best or event.peak > best[event.unit].peak:
            best[event.unit] = event
    ranked = sorted(best.values(), key=lambda each: (each.unit in hints, -each.peak))
    return sorted(ranked[:most], key=lambda each: each.unit)


def apex_pictures(
    video: str | os.PathLike[str],
    table: pd.DataFrame,
    events: Sequence[Event],
    frames: Sequence[int],
    progress: bool | ProgressCallback = False,
) -> list[ApexPicture]:
    """Draw the strongest frame of events.

    Parameters
    ----------
    video : path-like
    table : pandas.DataFrame
    events : sequence of Event
    frames : sequence of int
        Number of the strongest frame of each event.
    progress : bool or callable

    Returns
    -------
    list of ApexPicture
        In the order of the events; those whose frame the video does not have are left out.

    Raises
    ------
    VideoError
        The video cannot be read.
    """
    faces = TableFaces(table)
    wanted: dict[int, list[Event]] = {}
    for event, number in zip(events, frames, strict=True):
        wanted.setdefault(number, []).append(event)
    found: dict[Event, ApexPicture] = {}
    last = max(wanted, default=0)
    turn = int(faces.attrs.get("rotated") or 0)
    with (
        open_video(video, rotate=turn) as source,
        progress_reporter(progress, "pictures of the strongest moments") as report,
    ):
        for frame in source:
            if frame.number > last:
                break
            for event in wanted.get(frame.number, ()):
                image = _drawn(frame.image, faces, frame.number, event.face)
                height, width = image.shape[:2]
                found[event] = ApexPicture(event, jpeg_address(image), width, height)
            report(frame.number, last)
    return [found[event] for event in events if event in found]


def _drawn(image: BGRImage, faces: TableFaces, frame: int, wanted: int) -> BGRImage:
    """Cut out a face with what was found drawn over it; the whole frame if its place is not known."""
    height, width = image.shape[:2]
    several = len(faces.slots) > 1
    for _, face in faces.faces(frame):
        if several and face.panel.face_id != wanted:
            continue
        if not np.isfinite(face.landmarks).all():
            break
        left, top, side = _square(face.landmarks, width, height)
        scale = _SIDE / side
        corner = -scale * np.array([left, top])
        shift = corner + 0.5 * scale - 0.5  # of centres of pixels
        move = np.array([[scale, 0, shift[0]], [0, scale, shift[1]]])
        cut = cv2.warpAffine(
            image, move, (_SIDE, _SIDE), flags=cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC
        )
        canvas = np.ascontiguousarray(cut, np.uint8)
        camera = moved_camera(camera_of(faces.attrs, width, height), scale, *corner)
        draw_face(canvas, face.moved(scale, corner), camera, 0.8, box=False)
        return canvas
    scale = _SIDE / max(height, width)
    return np.asarray(cv2.resize(image, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA), np.uint8)


def _square(points: npt.NDArray[np.float32], width: int, height: int) -> tuple[float, float, float]:
    """Square around a face, as left, top and side, within the frame as far as it goes."""
    low, high = points.min(axis=0).astype(float), points.max(axis=0).astype(float)
    side = max(16.0, _AROUND * float((high - low).max()))
    middle = (low + high) / 2 - np.array([0.0, 0.06 * side])
    left, top = (
        float(np.clip(middle[axis] - side / 2, 0, max(0.0, length - side)))
        for axis, length in enumerate((width, height))
    )
    return left, top, side
