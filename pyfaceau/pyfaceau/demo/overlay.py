"""The clip with landmarks, head pose and action units drawn in."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt
import pandas as pd

from pyclnf.core.geometry import euler_to_matrix
from pyclnf.core.pose import Camera

from ..errors import OutputError
from ..video import open_video

_LANDMARK_COLOUR, _BOX_COLOUR, _BAR_COLOUR, _TEXT_COLOUR = (
    (80, 220, 90),
    (230, 170, 60),
    (44, 69, 200),
    (235,) * 3,
)
_BAR_PANEL = 190  # px beside the picture
_HEAD_BOX = 100.0  # half side of the pose box, mm
_EDGES = ((0, 1), (1, 3), (3, 2), (2, 0), (4, 5), (5, 7), (7, 6), (6, 4), (0, 4), (1, 5), (2, 6), (3, 7))

Image = npt.NDArray[np.uint8]


def write_overlay(clip: Path, result: pd.DataFrame, path: Path, aus: tuple[str, ...]) -> None:
    """Draw a result over its clip.

    Parameters
    ----------
    clip : Path
        The video that was analysed.
    result : DataFrame
        With landmarks, pose and action units, one row a frame.
    path : Path
        Video to write (MPEG-4).
    aus : tuple of str
        Columns to show as bars.

    Raises
    ------
    OutputError
        The video cannot be written.
    """
    landmarks = np.stack([result[[f"{c}_{i}" for i in range(68)]].to_numpy(float) for c in "xy"], axis=2)
    pose = result[[f"pose_{c}" for c in ("Tx", "Ty", "Tz", "Rx", "Ry", "Rz")]].to_numpy(float)
    bars = result[list(aus)].to_numpy(float)
    success = result["success"].to_numpy(bool)
    writer: cv2.VideoWriter | None = None
    with open_video(clip) as source:
        for index, frame in enumerate(source):
            picture = frame.image.copy()
            if index < len(result) and success[index]:
                _draw_pose(picture, pose[index])
                _draw_landmarks(picture, landmarks[index])
            canvas = np.hstack([picture, _bar_panel(picture.shape[0], aus, bars[min(index, len(bars) - 1)])])
            if writer is None:
                fourcc = cv2.VideoWriter.fourcc(*"mp4v")
                writer = cv2.VideoWriter(str(path), fourcc, source.fps, (canvas.shape[1], canvas.shape[0]))
                if not writer.isOpened():
                    raise OutputError(f"cannot write {path}: is the folder writable?")
            writer.write(canvas)
    if writer is not None:
        writer.release()


def _draw_landmarks(picture: Image, points: npt.NDArray[np.float64]) -> None:
    for x, y in np.round(points * 16).astype(int):
        cv2.circle(picture, (int(x), int(y)), 24, _LANDMARK_COLOUR, -1, cv2.LINE_AA, 4)


def _draw_pose(picture: Image, pose: npt.NDArray[np.float64]) -> None:
    """A cube around the head, seen by the camera that the pose was computed for."""
    camera = Camera.for_size(picture.shape[1], picture.shape[0])
    signs = np.array([[x, y, z] for x in (-1, 1) for y in (-1, 1) for z in (-1, 1)], float)
    corners = _HEAD_BOX * signs @ euler_to_matrix(pose[3:]).T + pose[:3]
    if (corners[:, 2] <= 0).any():
        return
    x = camera.fx * corners[:, 0] / corners[:, 2] + camera.cx
    y = camera.fy * corners[:, 1] / corners[:, 2] + camera.cy
    points = np.round(np.stack([x, y], 1) * 16).astype(int)
    for a, b in _EDGES:
        start, end = (int(points[a, 0]), int(points[a, 1])), (int(points[b, 0]), int(points[b, 1]))
        cv2.line(picture, start, end, _BOX_COLOUR, 1, cv2.LINE_AA, 4)


def _bar_panel(height: int, aus: tuple[str, ...], values: npt.NDArray[np.float64]) -> Image:
    """Bars of intensities from 0 to 5."""
    panel = np.full((height, _BAR_PANEL, 3), 32, np.uint8)
    step = height / max(len(aus), 1)
    for index, (name, value) in enumerate(zip(aus, values, strict=True)):
        top = int(index * step)
        middle = int((index + 0.5) * step)
        cv2.putText(
            panel, name.removesuffix("_r"), (6, middle + 4), cv2.FONT_HERSHEY_SIMPLEX, 0.4, _TEXT_COLOUR, 1,
            cv2.LINE_AA,
        )  # fmt: skip
        length = int(np.clip(value, 0, 5) / 5 * (_BAR_PANEL - 70))
        bottom = int((index + 1) * step) - 3
        cv2.rectangle(panel, (60, top + 3), (60 + length, bottom), _BAR_COLOUR, -1)
        cv2.rectangle(panel, (60, top + 3), (_BAR_PANEL - 10, bottom), (90, 90, 90), 1)
    return panel
