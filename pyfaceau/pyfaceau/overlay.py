"""Draws the values of a finished table over its video, in a second pass: what is seen is what is written."""

from __future__ import annotations

import math
import os
import shutil
import tempfile
import weakref
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt
import pandas as pd

from pyclnf.gaze import Gaze
from pyclnf.pose import Camera

from .action_units import unit_of
from .output.columns import N_EYE_LANDMARKS, N_LANDMARKS, group_columns
from .output.drawing import draw_face, head_box
from .output.encoding import ADVICE, VideoEncoder
from .output.panel import BACKGROUND, FACE_COLOURS, FacePanel, Margin
from .plots import every_of
from .prediction.history import History
from .progress import ProgressCallback, progress_reporter
from .result import FrameResult
from .video import BGRImage, FrameSource, open_video

PathLike = str | os.PathLike[str]
Floats = npt.NDArray[np.floating[Any]]

#: Groups of columns that `write_overlay` draws, if the table has them.
OVERLAY_GROUPS = ("gaze", "eye_landmarks", "pose", "landmarks", "aus")

_GEOMETRY = ("gaze", "eye_landmarks", "pose", "landmarks")
_WIDTHS = {group: len(group_columns(group)) for group in _GEOMETRY}
_HEIGHTS = (720, 1080)  # px of the picture: at least for two faces, for more; at most the second
_FEW_FACES = 2
_MOST_PANELS = 6
# Of the frame, on each side, so that the box around a head is whole; and how deep the box may be, deepest first.
_MOST_PADDING = 0.1
_DEPTHS = (1.0, 0.7, 0.4, 0.1)
_BOXES = 2000  # that both are measured on; the worst 1 % are fits gone wrong


@dataclass(frozen=True)
class Overlay:
    """A video that has been written.

    Attributes
    ----------
    path : Path
    codec : str
        "H.264", which every browser plays, or "MPEG-4 Part 2".
    frames : int
    sound : str
        What became of the video's sound: "copied", "encoded as AAC", "left out" where it cannot be read, or empty
        where there is none.
    """

    path: Path
    codec: str
    frames: int
    sound: str = ""

    @property
    def advice(self) -> str:
        """What to do if the video does not play; empty for H.264."""
        return "" if self.codec == "H.264" else f"{self.path}: written as {self.codec}: {ADVICE}"


class FaceShapes:
    """A sink that keeps landmarks, eyes, gaze and pose for `write_overlay`, whatever columns the table has.

    The rows wait in a temporary file, 1.7 kB each, so that memory stays flat.

    Examples
    --------
    >>> shapes = FaceShapes()                                                   # doctest: +SKIP
    >>> table = pipeline.process_video("video.mp4", sinks=[shapes])             # doctest: +SKIP
    >>> write_overlay("video.mp4", table, "overlay.mp4", shapes=shapes)         # doctest: +SKIP
    """

    def __init__(self) -> None:
        folder = tempfile.mkdtemp(prefix="pyfaceau-")
        weakref.finalize(self, shutil.rmtree, folder, ignore_errors=True)
        columns = 1 + sum(_WIDTHS.values())
        self._rows = History(columns, np.float32, Path(folder) / "shapes")
        self._row = np.empty(columns, np.float32)
        self._starts: list[int] = []
        self._last = math.inf

    def write(self, result: FrameResult, image: BGRImage) -> None:
        """Take a face."""
        if result.frame < self._last:  # the next video of one run
            self._starts.append(len(self._rows))
        self._last = result.frame
        row = self._row
        row[:] = np.nan
        row[0] = result.frame
        parts = dict(zip(_GEOMETRY, np.split(row[1:], np.cumsum([*_WIDTHS.values()])[:-1]), strict=True))
        if result.gaze is not None:
            parts["gaze"][:6] = result.gaze.directions.reshape(6)
            parts["eye_landmarks"][: 2 * N_EYE_LANDMARKS] = result.gaze.landmarks.T.reshape(-1)
            parts["eye_landmarks"][2 * N_EYE_LANDMARKS :] = result.gaze.landmarks_3d.T.reshape(-1)
        elif result.fit.eyes is not None:
            eyes = np.concatenate([eye.landmarks for eye in result.fit.eyes])
            parts["eye_landmarks"][: 2 * N_EYE_LANDMARKS] = eyes.T.reshape(-1)
        parts["pose"][:] = result.pose
        parts["landmarks"][:] = result.landmarks.T.reshape(-1)
        self._rows.append(row)

    def close(self) -> None:
        """Nothing is to be finished; the rows stay until the object goes."""

    def discard(self) -> None:
        """Drop the rows."""
        self._rows.clear()
        self._starts, self._last = [], math.inf

    def part(self, number: int) -> Floats:
        """Return the rows of one video of the run, counted from 0."""
        ends = [*self._starts[1:], len(self._rows)]
        return np.asarray(self._rows.array()[self._starts[number] : ends[number]])


def write_overlay(
    source: PathLike | FrameSource,
    table: pd.DataFrame,
    path: PathLike,
    *,
    shapes: FaceShapes | None = None,
    part: int = 0,
    progress: bool | ProgressCallback = False,
) -> Overlay:
    """Write a video that shows the values of a table over its frames.

    Landmarks, head box, eyes and gaze are drawn into the picture; a margin beside it shows the action units of each
    face, by name, as the table has them. Sound is kept.

    Parameters
    ----------
    source : path-like or FrameSource
        The video or folder of images that the table was made from. A FrameSource is not closed.
    table : pandas.DataFrame
        From `FullPythonAUPipeline.process_video`, or read from its file. What it lacks is not drawn: columns for
        everything come with ``include=OVERLAY_GROUPS``.
    path : path-like
        Ends in .mp4. The frame rate is that of the source.
    shapes : FaceShapes, optional
        What was a sink of the analysis; its landmarks are drawn then, and the table need not have any.
    part : int
        Which video of the analysis it is, counted from 0, where it had several with ``same_person=True``.
    progress : bool or callable
        As in `FullPythonAUPipeline.process_video`.

    Returns
    -------
    Overlay

    Raises
    ------
    VideoError
        The source cannot be read.
    OutputError
        The video cannot be written.
    ValueError
        The table has no column "frame", or `shapes` comes from another analysis.

    Examples
    --------
    >>> from pyfaceau import OVERLAY_GROUPS, FullPythonAUPipeline, write_overlay
    >>> pipeline = FullPythonAUPipeline(models="open", include=OVERLAY_GROUPS)
    >>> table = pipeline.process_video("video.mp4")  # doctest: +SKIP
    >>> overlay = write_overlay("video.mp4", table, "overlay.mp4")  # doctest: +SKIP
    """
    if "frame" not in table:
        raise ValueError("the table has no column 'frame'; is it a result of pyfaceau?")
    rows = TableFaces(table, None if shapes is None else shapes.part(part))
    turn = int(rows.attrs.get("rotated") or 0)
    opened = open_video(source, rotate=turn) if isinstance(source, (str, os.PathLike)) else source
    sound_of = Path(source) if isinstance(source, (str, os.PathLike)) else None
    try:
        return _write(opened, rows, Path(path), progress, sound_of)
    finally:
        if opened is not source:
            opened.close()


def _write(
    source: FrameSource,
    rows: TableFaces,
    path: Path,
    progress: bool | ProgressCallback,
    sound_of: Path | None,
) -> Overlay:
    encoder: VideoEncoder | None = None
    frames = 0
    fps = source.fps / rows.every
    try:
        with progress_reporter(progress, f"{path.name}") as report:
            for frame in source:
                if frame.number > rows.last:
                    break
                if (frame.number - 1) % rows.every:
                    continue
                if encoder is None:
                    canvas = _Canvas(frame.image, rows, Path(source.name).name)
                    encoder = VideoEncoder(path, fps, canvas.size, sound_of)
                encoder.write(canvas.draw(frame.image, frame.number, (frame.number - 1) / source.fps))
                frames += 1
                report(frame.number, rows.last)
    except BaseException:
        if encoder is not None:
            encoder.discard()
        raise
    if encoder is None:
        raise ValueError(f"{path}: the table has no rows, so there is nothing to draw")
    encoder.close()
    return Overlay(path, encoder.codec, frames, encoder.sound)


@dataclass(frozen=True, eq=False)
class TableFace:
    """A row as `draw_face` takes it."""

    panel: FacePanel
    confidence: float
    landmarks: npt.NDArray[np.float32]
    pose: npt.NDArray[np.float64]
    gaze: Gaze | None

    def moved(self, scale: float, offset: Floats) -> TableFace:
        """Return the face as it is in a picture that is `scale` times as large and then moved by `offset` px."""
        gaze = self.gaze
        if gaze is not None:
            planar = ((gaze.landmarks + 0.5) * scale - 0.5 + offset).astype(np.float32)
            gaze = Gaze(gaze.directions, gaze.angles, planar, gaze.landmarks_3d)
        landmarks = ((self.landmarks + 0.5) * scale - 0.5 + offset).astype(np.float32)
        return TableFace(self.panel, self.confidence, landmarks, self.pose, gaze)


class TableFaces:
    """What is drawn of a table, by frame.

    Parameters
    ----------
    table : pandas.DataFrame
        With a column ``frame``.
    shapes : ndarray, optional
        Rows of `FaceShapes`, used instead of the table's geometry.
    """

    def __init__(self, table: pd.DataFrame, shapes: Floats | None = None) -> None:
        self.attrs: dict[str, Any] = {str(key): value for key, value in table.attrs.items()}
        self._frames = table["frame"].to_numpy(np.int64)
        n = len(table)
        if shapes is not None and not (
            len(shapes) == n and np.array_equal(shapes[:, 0].astype(np.int64), self._frames)
        ):
            raise ValueError("shapes come from another analysis than the table")
        self._face_ids = table["face_id"].to_numpy(np.int64) if "face_id" in table else np.zeros(n, np.int64)
        self._tracked = table["success"].to_numpy() == 1 if "success" in table else np.ones(n, bool)
        self._confidence = (
            table["confidence"].to_numpy(np.float64) if "confidence" in table else np.full(n, np.nan)
        )
        self._times = table["timestamp"].to_numpy(np.float64) if "timestamp" in table else np.full(n, np.nan)
        self._geometry = _geometry(table, shapes)
        self._intensities = _values(table, "_r")
        self._presences = _values(table, "_c")
        self.units = sorted({name[:-2] for name in (*self._intensities, *self._presences)})
        self.hints = frozenset(
            unit for unit in self.units if unit_of(unit) in set(table.attrs.get("hints", ()))
        )
        self.last = int(self._frames.max()) if n else 0
        self.every = every_of(table)
        self._index = _by_frame(self._frames)
        self.slots = self._assign_slots()

    @property
    def n_slots(self) -> int:
        """Panels that are needed at the same time."""
        return min(_MOST_PANELS, 1 + max(self.slots.values(), default=0))

    def faces(self, frame: int) -> Iterator[tuple[int, TableFace]]:
        """Yield slot and face of each row of a frame."""
        for row in self._index.get(frame, ()):
            face_id = int(self._face_ids[row])
            panel = FacePanel(
                face_id,
                bool(self._tracked[row]),
                float(self._confidence[row]),
                {name: float(values[row]) for name, values in self._intensities.items()},
                {name: float(values[row]) for name, values in self._presences.items()},
            )
            pose = self._geometry["pose"][row].astype(np.float64)
            landmarks = self._geometry["landmarks"][row].reshape(2, N_LANDMARKS).T.astype(np.float32)
            yield self.slots[face_id], TableFace(panel, panel.confidence, landmarks, pose, self._gaze(row))

    def time(self, frame: int) -> float:
        """Time stamp of a frame in the table; NaN if it has no row."""
        rows = self._index.get(frame)
        return math.nan if rows is None else float(self._times[int(rows[0])])

    def poses(self) -> Floats:
        """Return some poses, from all over the video."""
        seen = np.flatnonzero(self._tracked & np.isfinite(self._geometry["pose"]).all(axis=1))
        return self._geometry["pose"][seen[:: max(1, len(seen) // _BOXES)]]

    def _gaze(self, row: int) -> Gaze | None:
        eyes = self._geometry["eye_landmarks"][row]
        if not np.isfinite(eyes[: 2 * N_EYE_LANDMARKS]).all():
            return None
        planar, spatial = eyes[: 2 * N_EYE_LANDMARKS], eyes[2 * N_EYE_LANDMARKS :]
        directions = self._geometry["gaze"][row][:6].reshape(2, 3).astype(np.float64)
        return Gaze(
            directions,
            np.full(2, np.nan),
            planar.reshape(2, -1).T.astype(np.float32),
            spatial.reshape(3, -1).T.astype(np.float64),
        )

    def _assign_slots(self) -> dict[int, int]:
        """Give each face a panel for as long as it is there; faces that are never there together share one."""
        spans = {
            int(face): (self._frames[rows].min(), self._frames[rows].max())
            for face in np.unique(self._face_ids)
            if len(rows := np.flatnonzero(self._face_ids == face))
        }
        slots: dict[int, int] = {}
        busy_until: list[int] = []
        for face, (first, last) in sorted(spans.items(), key=lambda item: (item[1][0], item[0])):
            free = [slot for slot, end in enumerate(busy_until) if end < first]
            slot = free[0] if free else len(busy_until)
            busy_until[slot : slot + 1] = [int(last)]
            slots[face] = slot
        return slots


class _Canvas:
    """The picture with its margin, laid out once for the whole video."""

    def __init__(self, first: BGRImage, rows: TableFaces, name: str) -> None:
        self._rows = rows
        height, width = first.shape[:2]
        self._frame_size = (width, height)
        camera = camera_of(rows.attrs, width, height)
        self._depth, (left, top, right, bottom) = _room_for_boxes(rows.poses(), camera, width, height)
        whole = (width + left + right, height + top + bottom)
        least = _HEIGHTS[0] if rows.n_slots <= _FEW_FACES else _HEIGHTS[1]
        scale = least / whole[1] if whole[1] < least else min(1.0, _HEIGHTS[1] / whole[1])
        self._scale = scale
        self._left, self._top = round(left * scale), round(top * scale)
        self._inner = (round(width * scale), round(height * scale))
        self._picture = (2 * math.ceil(whole[0] * scale / 2), 2 * math.ceil(whole[1] * scale / 2))
        self._camera = moved_camera(camera, scale, self._left, self._top)
        self._unit = max(min(self._inner) / 480, 0.5)
        self._margin = Margin(self._picture[1], rows.n_slots, rows.units, rows.hints)
        self.size = (self._picture[0] + self._margin.width, self._picture[1])
        models = [rows.attrs.get("models"), rows.attrs.get("landmark_model")]
        self._lines = (
            str(rows.attrs.get("source") or name),
            "models: " + ", ".join(map(str, filter(None, models))),
        )
        self._final = rows.attrs.get("final_pass", True)

    def draw(self, image: BGRImage, frame: int, seconds: float) -> BGRImage:
        """Draw a frame and its margin."""
        if image.shape[1::-1] != self._frame_size:  # images of a folder may differ in size
            image = np.asarray(cv2.resize(image, self._frame_size), np.uint8)
        canvas = np.empty((self.size[1], self.size[0], 3), np.uint8)
        canvas[:] = BACKGROUND
        picture = canvas[:, : self._picture[0]]
        inner = (slice(self._top, self._top + self._inner[1]), slice(self._left, self._left + self._inner[0]))
        way = cv2.INTER_AREA if self._scale < 1 else cv2.INTER_LINEAR
        picture[inner] = image if self._scale == 1 else cv2.resize(image, self._inner, interpolation=way)
        panels: dict[int, FacePanel] = {}
        more = 0
        numbered = len(self._rows.slots) > 1
        # Drawn on a copy of its own, as OpenCV draws on contiguous arrays.
        drawn = np.ascontiguousarray(picture)
        for slot, face in self._rows.faces(frame):
            if slot < self._rows.n_slots:
                panels[slot] = face.panel
            else:
                more += 1
            if face.panel.tracked and np.isfinite(face.landmarks).all():
                self._face(drawn, face, slot, numbered)
        canvas[:, : self._picture[0]] = drawn
        canvas[:, self._picture[0] :] = self._margin.draw(
            self._header(frame, seconds), panels, self._note(more)
        )
        return canvas

    def _header(self, frame: int, seconds: float) -> tuple[str, str, str]:
        stamp = self._rows.time(frame)
        stamp = stamp if math.isfinite(stamp) and stamp > 0 else seconds
        minutes, rest = divmod(stamp, 60)
        return (self._lines[0], f"frame {frame}   {int(minutes)}:{rest:06.3f}", self._lines[1])

    def _note(self, more: int) -> str:
        if more:
            return f"{more} more face{'s' * (more > 1)} without a panel"
        return "" if self._final else "values as predicted: no final pass"

    def _face(self, picture: BGRImage, face: TableFace, slot: int, numbered: bool) -> None:
        moved = face.moved(self._scale, np.array([self._left, self._top]))
        colour = FACE_COLOURS[slot % len(FACE_COLOURS)]
        draw_face(picture, moved, self._camera, self._unit, colour, self._depth)
        if numbered:
            _label(picture, str(face.panel.face_id), moved.landmarks, self._unit, colour)


def _label(
    picture: BGRImage, text: str, landmarks: Floats, unit: float, colour: tuple[int, int, int]
) -> None:
    """Write a face's number on a plate beside its brow, inside the picture."""
    scale = 0.9 * unit
    (width, height), _ = cv2.getTextSize(text, cv2.FONT_HERSHEY_SIMPLEX, scale, 2)
    border = round(0.4 * height)
    (left, top), (right, _) = landmarks.min(axis=0), landmarks.max(axis=0)
    box = (width + 2 * border, height + 2 * border)
    x = right + border if right + border + box[0] <= picture.shape[1] else left - border - box[0]
    x = round(float(np.clip(x, 0, picture.shape[1] - box[0])))
    y = round(float(np.clip(top - box[1], 0, picture.shape[0] - box[1])))
    cv2.rectangle(picture, (x, y), (x + box[0], y + box[1]), BACKGROUND, -1)
    cv2.rectangle(picture, (x, y), (x + box[0], y + box[1]), colour, max(1, round(unit)))
    place = (x + border, y + border + height)
    cv2.putText(picture, text, place, cv2.FONT_HERSHEY_SIMPLEX, scale, colour, 2, cv2.LINE_AA)


def camera_of(attrs: Mapping[str, Any], width: int, height: int) -> Camera:
    """Camera that the pose was computed with, as the table remembers it."""
    known = attrs.get("camera")
    if isinstance(known, Mapping) and {"fx", "fy", "cx", "cy"} <= set(known):
        return Camera(*(float(known[name]) for name in ("fx", "fy", "cx", "cy")))
    return Camera.for_size(width, height)


def moved_camera(camera: Camera, scale: float, left: float, top: float) -> Camera:
    """Return the camera of a picture that is `scale` times as large and then moved by `left` and `top` px."""
    centre = ((camera.cx + 0.5) * scale - 0.5 + left, (camera.cy + 0.5) * scale - 0.5 + top)
    return Camera(camera.fx * scale, camera.fy * scale, *centre)


def _room_for_boxes(
    poses: Floats, camera: Camera, width: int, height: int
) -> tuple[float, tuple[int, int, int, int]]:
    """Choose how deep head boxes are, and the px to add on the left, top, right and bottom to see them whole."""
    most = _MOST_PADDING * np.array([width, height])
    before = after = np.zeros(2)
    depth = _DEPTHS[0]
    for depth in _DEPTHS:
        boxes = [
            box for pose in poses if (box := head_box(pose.astype(np.float64), camera, depth)) is not None
        ]
        if not boxes:
            continue
        before = np.ceil(2 - np.percentile([box.min(axis=0) for box in boxes], 1, axis=0)).clip(0)
        highest = np.percentile([box.max(axis=0) for box in boxes], 99, axis=0)
        after = np.ceil(highest + 3 - [width, height]).clip(0)
        if (before <= most).all() and (after <= most).all():
            break
    (left, top), (right, bottom) = np.minimum(before, most), np.minimum(after, most)
    return depth, (int(left), int(top), int(right), int(bottom))


def _geometry(table: pd.DataFrame, shapes: Floats | None) -> dict[str, Floats]:
    """Geometry of each row, by group; NaN where neither the table nor the shapes have it."""
    found: dict[str, Floats] = {}
    start = 1
    for group, width in _WIDTHS.items():
        names = list(group_columns(group))
        if shapes is not None:
            found[group] = shapes[:, start : start + width]
        elif set(names) <= set(table.columns):
            found[group] = table[names].to_numpy(np.float64)
        else:
            found[group] = np.full((len(table), width), np.nan)
        start += width
    return found


def _values(table: pd.DataFrame, kind: str) -> dict[str, Floats]:
    """Columns of the action units: "AU12_r" or "AU12_c", not those of the static models beside them."""
    names = [
        name for name in table if isinstance(name, str) and name.startswith("AU") and name.endswith(kind)
    ]
    return {name: table[name].to_numpy(np.float64, na_value=np.nan) for name in names}


def _by_frame(frames: npt.NDArray[np.int64]) -> dict[int, npt.NDArray[np.intp]]:
    order = np.argsort(frames, kind="stable")
    numbers, starts = np.unique(frames[order], return_index=True)
    return dict(zip(numbers.tolist(), np.split(order, starts[1:]), strict=True))
