"""The sources of a run: their rows, their record, and the frames that are still to come."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from .output import ImmediateTable, ResultTable
from .video import FrameSource, VideoFrame


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
    """Frames of a source that a run has not seen yet, each with an image of its own."""

    def __init__(self, source: FrameSource, part: Part, *, copies: bool) -> None:
        self._source, self._copies, self._last = source, copies, part.last_number
        self.name, self.fps, self.n_frames = source.name, source.fps, source.n_frames

    def __iter__(self) -> Iterator[VideoFrame]:
        """Yield the frames."""
        for frame in self._source:
            if frame.number > self._last:
                yield replace(frame, image=frame.image.copy()) if self._copies else frame

    def close(self) -> None:
        """Leave the source to the caller."""


def decoder_of(source: FrameSource) -> dict[str, Any]:
    """Name what decodes a source, for the record, if it says so."""
    decoder = getattr(source, "decoder", None)
    return {} if decoder is None else {"decoder": decoder}
