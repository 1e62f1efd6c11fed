"""What FFmpeg (through PyAV) decodes: the pictures of a file, their times, and what could not be decoded."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeAlias

import av
import av.error
import av.logging
import cv2
import numpy as np
import numpy.typing as npt
from av.stream import Disposition
from av.video.reformatter import Interpolation, VideoReformatter

from .errors import VideoError

BGRImage: TypeAlias = npt.NDArray[np.uint8]
Box: TypeAlias = tuple[int, int, int, int]  # x0, y0, x1, y1
# A file that is named like a video may be a list of other files or addresses, or text that FFmpeg draws.
REFUSED_FORMATS = frozenset(
    {"hls", "dash", "concat", "imf", "rtsp", "sdp", "tty", "webm_dash_manifest", "lavfi"}
)
_TURNS = {90: cv2.ROTATE_90_CLOCKWISE, 180: cv2.ROTATE_180, 270: cv2.ROTATE_90_COUNTERCLOCKWISE}
# Planar 8-bit formats of which a part, cut on the grid below, converts to the pixels of the whole.
_CUT = frozenset({"yuv420p", "yuvj420p", "yuv422p", "yuvj422p"})
_GRID = 32  # px
_SIZES = 128  # px; parts have few different sizes, as each needs its own converter
_WORTH = 0.5  # of the frame; a larger part is cut out of the whole
_READ_FAILURES = 64  # in a row, after which a file is at its end
_EARLY = 2.5  # frames by which a video may end before its container
_LISTED = 1000  # damaged frames that are listed by number

_KEPT = 16  # converters of a thread
_UNSPECIFIED = 2  # AVCOL_SPC_UNSPECIFIED

_converters = threading.local()
av.logging.set_libav_level(av.logging.PANIC)  # it is `Damage` that tells


@dataclass
class Damage:
    """What was not as it should be, filled while a video is read.

    Attributes
    ----------
    undecodable : int
        Pieces of the stream (a frame each) that could not be decoded; there is no frame for them.
    lost_before : list of int
        Number of the next frame that came after each of them; the first 1000.
    corrupt : list of int
        Frames that the decoder itself calls damaged; the first 1000.
    scaled : dict of str to int
        Frames that had another size than the first one, by that size: "WIDTHxHEIGHT".
    missing : int
        Frames that the container promises and that never came.
    ends_early_s : float
        By how much the video ends before the end that a Matroska file names, which counts no frames.
    """

    undecodable: int = 0
    lost_before: list[int] = field(default_factory=list)
    corrupt: list[int] = field(default_factory=list)
    scaled: dict[str, int] = field(default_factory=dict)
    missing: int = 0
    ends_early_s: float = 0.0

    def record(self) -> dict[str, Any]:
        """Describe it for ``.attrs``; empty if all is well."""
        return {name: value for name, value in vars(self).items() if value}

    def sentence(self) -> str:
        """Say what a reader of the table should know; empty if there is nothing."""
        told = []
        if self.undecodable:
            first = f", first before frame {self.lost_before[0]}" if self.lost_before else ""
            told.append(f"frames that could not be decoded and have no rows: {self.undecodable}{first}")
        if self.corrupt:
            told.append(f"damaged frames: {len(self.corrupt)}, first frame {self.corrupt[0]}")
        if self.missing:
            told.append(f"frames that the file promises and does not hold: {self.missing} (is it cut short?)")
        if self.ends_early_s:
            told.append(f"it ends {self.ends_early_s:.2f} s before the file says (is it cut short?)")
        if self.scaled:
            sizes = ", ".join(f"{count} of {size}" for size, count in self.scaled.items())
            told.append(f"the picture changes its size: frames ({sizes}) were scaled to that of the first")
        return "; ".join(told)


class DecodedPicture:
    """A decoded frame whose pixels are made where they are looked at; see :class:`pyclnf.image.Picture`.

    Parameters
    ----------
    frame : av.VideoFrame
        Becomes this object's own.
    size : tuple of int, optional
        Width and height to scale to.
    degrees : {0, 90, 180, 270}
        Turned clockwise, after scaling.

    Notes
    -----
    Pixels are those of OpenCV's VideoCapture: FFmpeg's conversion with the constants of ITU-R BT.601, whatever the
    file says about its colours, as OpenFace has them.
    """

    def __init__(self, frame: av.VideoFrame, size: tuple[int, int] | None = None, degrees: int = 0) -> None:
        frame.colorspace, frame.color_range = _UNSPECIFIED, 0  # FFmpeg would follow what the file says
        self._frame, self._degrees = frame, degrees
        self._size = size or (frame.width, frame.height)
        even = frame.width % 2 == frame.height % 2 == 0  # others go through another converter of FFmpeg
        self._parts = even and self._size == (frame.width, frame.height) and frame.format.name in _CUT
        self._made: tuple[Box, BGRImage] | None = None
        self._lock = threading.Lock()

    @property
    def shape(self) -> tuple[int, int, int]:
        """Rows, columns, 3."""
        width, height = self._size if self._degrees % 180 == 0 else self._size[::-1]
        return height, width, 3

    def turned(self, degrees: int) -> DecodedPicture:
        """Return the same frame, turned clockwise by so many degrees more."""
        return DecodedPicture(self._frame, self._size, (self._degrees + degrees) % 360)

    def part(self, x0: int, y0: int, x1: int, y1: int) -> BGRImage:
        """Return rows y0 to y1 and columns x0 to x1 as BGR."""
        with self._lock:
            if self._made is None or not _holds(self._made[0], (x0, y0, x1, y1)):
                self._made = self._make((x0, y0, x1, y1))
            (left, top, _, _), pixels = self._made
        return pixels[y0 - top : y1 - top, x0 - left : x1 - left]

    def _make(self, wanted: Box) -> tuple[Box, BGRImage]:
        """Convert a part that holds what is wanted; boxes are those of the turned frame."""
        width, height = self._size
        x0, y0, x1, y1 = _turned_box(wanted, self.shape[1], self.shape[0], -self._degrees % 360)
        x0, x1 = _on_grid(x0, x1, width)
        y0, y1 = _on_grid(y0, y1, height)
        if not self._parts or (x1 - x0) * (y1 - y0) > _WORTH * width * height:
            x0, y0, x1, y1 = 0, 0, width, height
        whole = (x1 - x0, y1 - y0) == (width, height)
        if not whole:
            pixels = _to_bgr(_cut(self._frame, x0, y0, x1, y1), x1 - x0, y1 - y0, 1)
        else:  # FFmpeg refuses to convert frames that are marked as interlaced
            frame = _unmarked(self._frame) if self._frame.interlaced_frame else self._frame
            pixels = _to_bgr(frame, width, height, 0)
        if self._degrees:
            pixels = np.asarray(cv2.rotate(pixels, _TURNS[self._degrees]), np.uint8)
        return _turned_box((x0, y0, x1, y1), width, height, self._degrees), pixels


def _holds(box: Box, other: Box) -> bool:
    return box[0] <= other[0] and box[1] <= other[1] and other[2] <= box[2] and other[3] <= box[3]


def _on_grid(low: int, high: int, size: int) -> tuple[int, int]:
    """Widen a range to the grid, and to few different lengths, within 0 to `size`."""
    low = low // _GRID * _GRID
    length = -(-(high - low) // _SIZES) * _SIZES
    if low + length > size:
        low = max(0, (size - length) // _GRID * _GRID)
    return low, min(low + length, size) if low + length + _GRID <= size else size


def _turned_box(box: Box, width: int, height: int, degrees: int) -> Box:
    """Where a box of a frame of this size lies once the frame is turned clockwise."""
    x0, y0, x1, y1 = box
    if degrees == 90:
        return height - y1, x0, height - y0, x1
    if degrees == 180:
        return width - x1, height - y1, width - x0, height - y0
    if degrees == 270:
        return y0, width - x1, y1, width - x0
    return box


def _cut(frame: av.VideoFrame, x0: int, y0: int, x1: int, y1: int) -> av.VideoFrame:
    """Copy a part of the planes of an 8-bit frame into a frame of its own."""
    part = av.VideoFrame(x1 - x0, y1 - y0, frame.format.name)
    for source, target in zip(frame.planes, part.planes, strict=True):
        left = x0 // round(frame.width / source.width)
        top = y0 // round(frame.height / source.height)
        pixels = _pixels(source)[top : top + target.height, left : left + target.width]
        _pixels(target)[:, : target.width] = pixels
    return part


def _unmarked(frame: av.VideoFrame) -> av.VideoFrame:
    """Copy a frame without what is noted about it."""
    copy = av.VideoFrame(frame.width, frame.height, frame.format.name)
    for source, target in zip(frame.planes, copy.planes, strict=True):
        length = min(source.line_size, target.line_size)
        _pixels(target)[:, :length] = _pixels(source)[:, :length]
    return copy


def _pixels(plane: Any) -> npt.NDArray[np.uint8]:
    size = plane.line_size * plane.height
    return np.frombuffer(plane, np.uint8, size).reshape(plane.height, plane.line_size)


def _to_bgr(frame: av.VideoFrame, width: int, height: int, threads: int) -> BGRImage:
    """Convert and scale with FFmpeg, bicubic as OpenCV asks for; 0 threads: as many as there are cores."""
    kept: dict[tuple[int, ...], VideoReformatter] = _converters.__dict__.setdefault("kept", {})
    key = (frame.width, frame.height, width, height)
    if key not in kept:
        if len(kept) >= _KEPT:
            kept.clear()
        kept[key] = VideoReformatter()
    made = kept[key].reformat(
        frame,
        width=width,
        height=height,
        format="bgr24",
        interpolation=Interpolation.BICUBIC,
        threads=threads,
    )
    return _pixels(made.planes[0])[:, : 3 * width].reshape(height, width, 3)  # a view: rows are padded


def open_media(path: Path) -> av.container.InputContainer:
    """Open a file with FFmpeg, which may open nothing else: lists name other files, and addresses.

    Parameters
    ----------
    path : Path

    Returns
    -------
    av.container.InputContainer

    Raises
    ------
    av.error.FFmpegError, ValueError
        FFmpeg cannot read it.
    """
    # A prefix, as FFmpeg would take "a:b.mp4" for an address.
    return av.open(f"file:{path}", options={"protocol_whitelist": "file"})


class Container:
    """The first video stream of a file, read from its beginning.

    Parameters
    ----------
    path : Path

    Attributes
    ----------
    fps : float or None
        Frames per second, if the container tells.
    n_frames : int or None
        How many frames there should be, if the container tells; an estimate.
    counted : bool
        Whether that number was counted by whoever wrote the file, and is not a duration.
    decoder : dict of str to str
        What decodes, which is part of the numbers.
    damage : Damage

    Raises
    ------
    VideoError
        Not a video that can be decoded.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        try:
            self._input = open_media(path)
        except (av.error.FFmpegError, ValueError) as error:
            raise VideoError(
                f"{path}: not a video that can be decoded (is it damaged, or not a video?)"
            ) from error
        try:
            self._stream = self._picture_stream()
            context = self._stream.codec_context
            context.thread_type = "AUTO"
            self.damage = Damage()
            rate = self._stream.guessed_rate or self._stream.average_rate
            self.fps = float(rate) if rate and rate > 0 else None
            self.counted = self._stream.frames > 0
            self.n_frames = self._stream.frames or self._estimated_frames()
            self.decoder = {
                "reader": "PyAV",
                "av": av.__version__,
                "avcodec": _version("libavcodec"),
                "swscale": _version("libswscale"),
                "codec": context.name,
            }
        except BaseException:
            self._input.close()
            raise

    def pictures(self) -> Iterator[tuple[DecodedPicture, float]]:
        """Yield the frames with their presentation time in s, NaN where there is none.

        What cannot be decoded is noted in `damage` and passed over.
        """
        number, size, last = 0, None, float("nan")
        for frame in self._frames():
            number += 1
            last = float("nan") if frame.time is None else float(frame.time)
            found = (frame.width, frame.height)
            size = size or found
            if found != size:
                name = f"{found[0]}x{found[1]}"
                self.damage.scaled[name] = self.damage.scaled.get(name, 0) + 1
            if frame.is_corrupt and len(self.damage.corrupt) < _LISTED:
                self.damage.corrupt.append(number)
            yield DecodedPicture(frame, size, round(-frame.rotation / 90) % 4 * 90), last
        if self.counted and self.n_frames is not None:
            self.damage.missing = max(0, self.n_frames - number - self.damage.undecodable)
        elif "matroska" in self._input.format.name and len(self._input.streams) == 1 and self.fps:
            early = (self._input.duration or 0) / av.time_base - last - 1 / self.fps
            if early > _EARLY / self.fps:  # sound that is longer than the picture is no damage
                self.damage.ends_early_s = round(early, 3)

    def seek(self, share: float) -> None:
        """Go to the last key frame before a share of the duration, from 0 to 1, as far as the container can."""
        duration = self._input.duration
        if duration:
            with suppress(av.error.FFmpegError):
                self._input.seek(int((self._input.start_time or 0) + share * duration))

    def close(self) -> None:
        """Release the file."""
        self._input.close()

    def _picture_stream(self) -> Any:
        streams = [
            stream
            for stream in self._input.streams.video
            if Disposition.attached_pic not in stream.disposition and stream.codec_context is not None
        ]
        if set(self._input.format.name.split(",")) & REFUSED_FORMATS:
            raise VideoError(
                f"{self.path}: not a video, but a list of others or a text; name the video itself"
            )
        if streams:
            return streams[0]
        if self._input.streams.audio:
            raise VideoError(f"{self.path}: holds sound and no picture")
        raise VideoError(f"{self.path}: not a video that can be decoded (is it damaged, or not a video?)")

    def _estimated_frames(self) -> int | None:
        """Count frames by the duration, as OpenCV does."""
        stream = self._stream
        seconds = (self._input.duration or 0) / av.time_base
        if not seconds and stream.duration:
            seconds = float(stream.duration * stream.time_base)
        return round(seconds * self.fps) or None if self.fps and seconds > 0 else None

    def _frames(self) -> Iterator[av.VideoFrame]:
        """Decode packet by packet, going on after those that fail."""
        decoded = failures = 0
        while failures < _READ_FAILURES:
            try:
                for packet in self._input.demux(self._stream):
                    failures = 0
                    try:
                        frames = packet.decode()
                    except (av.error.FFmpegError, ValueError):
                        self.damage.undecodable += 1
                        if len(self.damage.lost_before) < _LISTED:
                            self.damage.lost_before.append(decoded + 1)
                        continue
                    for frame in frames:
                        decoded += 1
                        yield frame
                return
            except av.error.FFmpegError:  # what is read is damaged; the next piece may not be
                failures += 1
        with suppress(av.error.FFmpegError):
            yield from self._stream.codec_context.decode(None)


def _version(library: str) -> str:
    return ".".join(map(str, av.library_versions[library]))
