"""The sources of a run: their rows, their record, and the frames that are still to come."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ._warning import warn
from .errors import DamagedVideoWarning, ShortSequenceWarning, TimestampWarning
from .options import Timestamps
from .output import ImmediateTable, ResultTable
from .video import FrameSource, VideoFrame

if TYPE_CHECKING:
    from .containers import Damage

# Frames with a face below which a person's rest cannot be told from what they do. With the first 2 s of the demo
# (60 frames) AU05 of a neutral frame is 4.4, with all of it 1.0.
SHORT_SEQUENCE = 100


class Part:
    """Rows of one source, and what to remember about it."""

    def __init__(
        self, table: ResultTable | ImmediateTable | None, attrs: dict[str, Any], first_number: int
    ) -> None:
        self.table = table
        self.attrs = attrs
        self.first_number = first_number  # frames of the parts before it
        self.last_number = 0


class FreshFrames:
    """Frames of a source that a run has not seen yet, each with an image of its own.

    Parameters
    ----------
    source : FrameSource
    part : Part
        Its record gets what is learnt about the time stamps.
    copies : bool
        The source uses its images again.
    every : int
        Take each n-th frame, beginning with the first.
    timestamps : {"container", "frames"}
        Which ones the frames get.
    max_frames : int, optional
        Number of the last frame to look at.
    """

    def __init__(
        self,
        source: FrameSource,
        part: Part,
        *,
        copies: bool,
        every: int = 1,
        timestamps: Timestamps = "container",
        max_frames: int | None = None,
    ) -> None:
        self._source, self._part, self._copies, self._every = source, part, copies, every
        self._last, self._max_frames = part.last_number, max_frames
        self.name, self.fps, self.n_frames = source.name, source.fps, source.n_frames
        self._has_clock = getattr(source, "has_clock", False)
        self._counts = timestamps == "frames"
        if self._has_clock:
            part.attrs["timestamps"] = {"from": timestamps, "differ_from_frame_rate_s": 0.0}
        elif (
            source.name and getattr(source, "decoder", {}).get("reader") == "PyAV"
        ):  # a file without a usable clock
            part.attrs["timestamps"] = {"from": "frames"}

    def __iter__(self) -> Iterator[VideoFrame]:
        """Yield the frames."""
        for frame in self._source:
            if (frame.number - 1) % self._every == 0:
                timed = self._timed(frame) if self._has_clock else frame
                if frame.number > self._last:
                    yield replace(timed, picture=frame.image.copy()) if self._copies else timed
            if self._max_frames is not None and frame.number >= self._max_frames:
                return

    def close(self) -> None:
        """Leave the source to the caller."""

    def _timed(self, frame: VideoFrame) -> VideoFrame:
        """Give a frame its time stamp, and note how far the container's is from that of the frame rate."""
        counted = (frame.number - 1) / self.fps
        record = self._part.attrs["timestamps"]
        difference = round(abs(frame.timestamp - counted), 6)
        record["differ_from_frame_rate_s"] = max(record["differ_from_frame_rate_s"], difference)
        return replace(frame, timestamp=counted) if self._counts else frame


def decoder_of(source: FrameSource) -> dict[str, Any]:
    """Name what decodes a source, for the record, if it says so."""
    decoder = getattr(source, "decoder", None)
    return {} if decoder is None else {"decoder": decoder}


def warn_of_time(part: Part) -> None:
    """Warn if the time stamps of the container are more than half a frame from those of the frame rate."""
    record, fps = part.attrs.get("timestamps"), part.attrs["fps"]
    if record is None or not record.get("differ_from_frame_rate_s", 0.0) > 0.5 / fps:
        return
    used = (
        "the table has the container's"
        if record["from"] == "container"
        else "the table has those of the frame rate"
    )
    warn(
        f"{part.attrs['source']}: the time stamps of the container differ from frame / frame rate by up to "
        f"{record['differ_from_frame_rate_s']:.3f} s, as in videos of variable frame rate; {used}",
        TimestampWarning,
    )


def warn_of_damage(part: Part, source: FrameSource) -> None:
    """Note in the record what of a source could not be decoded, and warn of it."""
    damage: Damage | None = getattr(source, "damage", None)
    if damage is None or not (record := damage.record()):
        return
    part.attrs["damage"] = record
    said = damage.sentence()
    if said:
        warn(f"{part.attrs['source']}: {said}", DamagedVideoWarning)


def faces_seen_briefly(
    face_ids: Iterable[NDArray[np.int64]],
    valid: Iterable[NDArray[np.bool_]],
    learnt: Iterable[int],
    returned: Mapping[int, int],
) -> dict[str, int]:
    """List faces whose rest was learnt from too few frames.

    Parameters
    ----------
    face_ids, valid : iterable of ndarray, shape (n_rows,)
        Of each table: face of each row, and whether it was measured.
    learnt : iterable of int
        Faces whose rest was learnt from the sequence itself.
    returned : mapping of int to int
        Whose sequence the frames of a face are part of, for people who came back under a new number.

    Returns
    -------
    dict of str to int
        Number of frames of each such face, by its number as text, which JSON needs.
    """
    counts: dict[int, int] = {}
    for ids, measured in zip(face_ids, valid, strict=True):
        for face_id, count in zip(*np.unique(ids[measured], return_counts=True), strict=True):
            person = returned.get(int(face_id), int(face_id))
            counts[person] = counts.get(person, 0) + int(count)
    wanted = {returned.get(face_id, face_id) for face_id in learnt}
    return {str(n): count for n, count in counts.items() if n in wanted and count < SHORT_SEQUENCE}


def warn_of_short_sequence(source: str, faces: dict[str, int]) -> None:
    """Warn that dynamic action units of these faces are measured against a rest that is hardly known."""
    if not faces:
        return
    seen = max(faces.values())
    whose = "the face is"
    if list(faces) != ["0"]:
        whose = f"face {next(iter(faces))} is" if len(faces) == 1 else f"faces {', '.join(faces)} are"
    most = " at most" if len(faces) > 1 else ""
    plural = "" if seen == 1 else "s"
    warn(
        f"{source}: {whose} seen in {seen} frame{plural}{most}; dynamic action units need some {SHORT_SEQUENCE} to "
        "tell a person's rest, and may be off by several units. Use static models for short clips "
        "(au_models='static', --au-models static), or give the person at rest (baseline, --baseline)",
        ShortSequenceWarning,
    )
