"""Frames that are turned before anything else is done with them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import TYPE_CHECKING

import cv2
import numpy as np

from .video import BGRImage, FrameSource, VideoFrame

if TYPE_CHECKING:
    from .containers import Damage

_TURNS = {90: cv2.ROTATE_90_CLOCKWISE, 180: cv2.ROTATE_180, 270: cv2.ROTATE_90_COUNTERCLOCKWISE}


def turned(image: BGRImage, degrees: int) -> BGRImage:
    """Turn an image clockwise by 0, 90, 180 or 270 degrees.

    Raises
    ------
    ValueError
        Other degrees.
    """
    if degrees not in (0, *_TURNS):
        raise ValueError(f"rotate is 0, 90, 180 or 270 degrees, got {degrees!r}")
    return np.ascontiguousarray(cv2.rotate(image, _TURNS[degrees]), np.uint8) if degrees else image


class Turned:
    """Another source with its frames turned clockwise.

    Parameters
    ----------
    source : FrameSource
        Closed together with this object.
    degrees : {90, 180, 270}

    Raises
    ------
    ValueError
        Other degrees.
    """

    owns_images = True

    def __init__(self, source: FrameSource, degrees: int) -> None:
        if degrees not in _TURNS:
            raise ValueError(f"rotate is 0, 90, 180 or 270 degrees, got {degrees!r}")
        self._source, self._degrees = source, degrees
        self.name, self.fps, self.n_frames = source.name, source.fps, source.n_frames
        self.has_clock: bool = getattr(source, "has_clock", False)
        self.decoder: dict[str, str] | None = getattr(source, "decoder", None)
        self.damage: Damage | None = getattr(source, "damage", None)

    def __iter__(self) -> Iterator[VideoFrame]:
        """Yield the frames in order."""
        from .containers import DecodedPicture  # loads FFmpeg

        for frame in self._source:
            picture = frame.picture
            yield replace(
                frame,
                picture=picture.turned(self._degrees)
                if isinstance(picture, DecodedPicture)
                else turned(frame.image, self._degrees),
            )

    def close(self) -> None:
        """Close the source."""
        self._source.close()
