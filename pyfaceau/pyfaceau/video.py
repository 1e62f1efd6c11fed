"""Frames in: video files and folders of images, decoded ahead in a thread of their own."""

from __future__ import annotations

import math
import os
import queue
import re
import threading
import weakref
from collections.abc import Iterable, Iterator, Sized
from dataclasses import dataclass
from itertools import chain, islice
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Protocol, TypeAlias

import cv2
import numpy as np
import numpy.typing as npt

from pyclnf.image import Picture, to_uint8, whole

from .errors import VideoError

if TYPE_CHECKING:
    from .containers import Damage

DEFAULT_FPS = 30.0  # OpenFace 2.2: SequenceCapture, where the container names none
IMAGE_SUFFIXES = (".jpg", ".jpeg", ".png", ".bmp")  # OpenFace 2.2: SequenceCapture
# What OpenFace reads and others that OpenCV decodes; for photographs, which OpenFace treats one by one.
PHOTO_SUFFIXES = (*IMAGE_SUFFIXES, ".tif", ".tiff", ".webp")
CLOCK_STEP = 1.5e-3  # s; the clocks of Matroska, ASF and FLV count milliseconds, so less is rounding
READ_AHEAD = 8  # frames; enough to hide decoding, some 25 MB of full-HD frames as they are decoded

BGRImage: TypeAlias = npt.NDArray[np.uint8]
_Frames: TypeAlias = "queue.Queue[VideoFrame | BaseException | None]"


@dataclass(frozen=True, eq=False)
class VideoFrame:
    """One frame of a sequence.

    Attributes
    ----------
    number : int
        Counted from 1.
    timestamp : float
        Seconds since the first frame: the container's for video files, 0 for folders of images, which have no
        clock.
    picture : ndarray, shape (H, W, 3), uint8, or pyclnf.image.Picture
        BGR, or what makes the parts of it that are looked at.
    """

    number: int
    timestamp: float
    picture: BGRImage | Picture

    @property
    def image(self) -> BGRImage:
        """All of the frame, shape (H, W, 3), uint8, BGR; a decoded frame is converted when this is asked for."""
        return np.ascontiguousarray(whole(self.picture), np.uint8)

    @property
    def size(self) -> tuple[int, int]:
        """Width and height in px."""
        return self.picture.shape[1], self.picture.shape[0]


def as_bgr(image: npt.NDArray[np.generic]) -> BGRImage:
    """Bring any usual image into the form that the pipeline works on.

    Parameters
    ----------
    image : ndarray, shape (H, W), (H, W, 1), (H, W, 3) or (H, W, 4), uint8 or uint16
        Grey, BGR or BGRA. 16-bit values are divided by 256 and rounded (half to even), as in OpenFace.

    Returns
    -------
    ndarray, shape (H, W, 3), uint8
        C-contiguous BGR; `image` itself if it is that already.

    Raises
    ------
    TypeError
        Not an array of uint8 or uint16.
    ValueError
        Empty, or of another shape.
    """
    frame = to_uint8(image)
    if frame.ndim == 2:
        frame = np.repeat(frame[:, :, None], 3, axis=2)
    elif frame.shape[2] == 4:
        frame = frame[..., :3]
    return np.ascontiguousarray(frame)


class FrameSource(Protocol):
    """What the pipeline reads frames from.

    Attributes
    ----------
    name : str
        For messages and results.
    fps : float
        Frames per second.
    n_frames : int or None
        How many frames to expect, where the container says so; an estimate.

    Notes
    -----
    Its frames have arrays or :class:`pyclnf.image.Picture` objects. A source may write all frames into one
    buffer; a run then copies them. One whose frames have memory of their own
    says so with an attribute ``owns_images = True``. One whose time stamps are read from a container says so with
    ``has_clock = True``, one that knows what could not be decoded has it in ``damage``.
    """

    name: str
    fps: float
    n_frames: int | None

    def __iter__(self) -> Iterator[VideoFrame]:
        """Yield the frames in order."""

    def close(self) -> None:
        """Release the file; iteration ends."""


class VideoFile:
    """Frames of a video file, decoded by FFmpeg through PyAV.

    Parameters
    ----------
    path : path-like
        Anything that FFmpeg decodes.

    Attributes
    ----------
    damage : Damage
        What could not be decoded, complete when the last frame has been read.

    Raises
    ------
    VideoError
        No such file, not a video, or a video without a single frame.

    Notes
    -----
    Frames are turned as the file says that players must (phones write that). Those of another size than the first one
    are scaled to it. Time stamps are those of the container, counted from its first frame. Where they differ from
    ``frame / fps`` by no more than the rounding of a clock of milliseconds, they are ``frame / fps``. `has_clock` is
    False where the container has no usable ones.
    """

    owns_images = True

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.path = Path(path)
        self.name = str(self.path)
        check_readable(self.path)
        from .containers import Container  # loads FFmpeg

        self._container = Container(self.path)
        self._pictures = self._container.pictures()
        self.damage = self._container.damage
        self._ahead = list(islice(self._pictures, 2))  # what has been read, but not handed out
        if not self._ahead:
            self._container.close()
            raise VideoError(f"{self.path}: the video holds no frames (is it damaged or cut short?)")
        self._start = self._ahead[0][1]
        self.decoder = self._container.decoder
        # A stream without a container shows all its frames at 0.
        self.has_clock = math.isfinite(self._start) and self._ahead[-1][1] > self._start - (
            len(self._ahead) == 1
        )
        self.fps = self._container.fps or DEFAULT_FPS
        self.n_frames = self._container.n_frames

    def __iter__(self) -> Iterator[VideoFrame]:
        """Yield the frames in order; a second iteration yields nothing, as the stream is read."""
        time = 0.0
        ahead, self._ahead = self._ahead, []
        for number, (picture, clock) in enumerate(chain(ahead, self._pictures), start=1):
            time = self._time(number, clock, time)
            yield VideoFrame(number, time, picture)

    def close(self) -> None:
        """Release the file."""
        self._container.close()

    def _time(self, number: int, clock: float, before: float) -> float:
        """Time stamp of a frame that the container shows at `clock`, after one with the time stamp `before`."""
        counted = (number - 1) / self.fps
        if number == 1 or not self.has_clock:
            return counted
        time = clock - self._start
        if not time > before:  # a broken or absent clock; time must go on
            return before + 1 / self.fps
        return counted if abs(time - counted) <= CLOCK_STEP else time


def check_readable(path: Path) -> None:
    """Raise VideoError unless a file or folder is there and may be read; the message says what is wrong."""
    try:
        path.stat()
    except FileNotFoundError as error:
        raise VideoError(f"{path}: no such file") from error
    except OSError as error:  # such as a name that is too long
        raise VideoError(f"{path}: cannot be read ({error.strerror or error})") from error
    if not os.access(path, os.R_OK):
        raise VideoError(f"{path}: may not be read (check the file's permissions)")


class ImageFolder:
    """The images of a folder as a sequence, read as 8-bit colour, in the order of their names and numbers.

    Parameters
    ----------
    path : path-like
        Folder; files that are not .jpg, .jpeg, .png or .bmp are passed over.

    Raises
    ------
    VideoError
        No image there, or the first one cannot be decoded.
    """

    owns_images = True

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.path = Path(path)
        self.name = str(self.path)
        self.decoder = {"reader": "images", "opencv": cv2.__version__}
        self._files = sorted(
            (file for file in self.path.iterdir() if file.suffix.lower() in IMAGE_SUFFIXES), key=natural_key
        )
        if not self._files:
            raise VideoError(f"{self.path}: the folder holds no images ({', '.join(IMAGE_SUFFIXES)})")
        read_image(self._files[0])  # a folder of something else is refused here and not in mid-sequence
        self.fps = DEFAULT_FPS
        self.n_frames: int | None = len(self._files)

    def __iter__(self) -> Iterator[VideoFrame]:
        """Yield the images in order.

        Raises
        ------
        VideoError
            An image cannot be decoded.
        """
        for number, file in enumerate(self._files, start=1):
            yield VideoFrame(number, 0.0, read_image(file))

    def close(self) -> None:
        """Nothing is held open."""


def natural_key(path: Path) -> tuple[tuple[str, int, str], ...]:
    """Key that sorts names as people do: img2 before img10, and img02 beside img2.

    Parameters
    ----------
    path : Path
        Its name is looked at, not its folder.

    Returns
    -------
    tuple
        Of any two names, one key is the smaller unless the names are the same.
    """
    parts = re.split(r"([0-9]+)", path.name)
    return tuple(
        (text, int(digits or 0), digits) for text, digits in zip(parts[::2], [*parts[1::2], ""], strict=True)
    )


def read_image(path: str | os.PathLike[str]) -> BGRImage:
    """Read one image file as 8-bit colour.

    Parameters
    ----------
    path : path-like
        Any format that OpenCV decodes; grey and 16-bit images are converted.

    Returns
    -------
    ndarray, shape (H, W, 3), uint8
        BGR.

    Raises
    ------
    VideoError
        No such file, or not an image.
    """
    try:
        # Not cv2.imread, which cannot open every path on Windows and prints to stderr.
        data = np.fromfile(path, np.uint8)
    except OSError as error:
        raise VideoError(f"{path}: cannot be read ({error.strerror or error})") from error
    image = cv2.imdecode(data, cv2.IMREAD_COLOR) if data.size else None
    if image is None:
        raise VideoError(f"{path}: not an image that can be decoded")
    return as_bgr(image)


class ReadAhead:
    """Decodes another source in a thread of its own, a few frames ahead of the consumer.

    Parameters
    ----------
    source : FrameSource
        What to read; closed together with this object.
    depth : int
        Most frames to hold; with 0 there is no other thread, and each is decoded when it is asked for.
    """

    def __init__(self, source: FrameSource, depth: int = READ_AHEAD) -> None:
        if depth < 0:
            raise ValueError(f"depth must not be negative, got {depth}")
        self._depth = depth
        self._source = source
        self.name = source.name
        self.fps = source.fps
        self.n_frames = source.n_frames
        self.owns_images: bool = getattr(source, "owns_images", False)
        self.has_clock: bool = getattr(source, "has_clock", False)
        self.decoder: dict[str, str] | None = getattr(source, "decoder", None)
        self.damage: Damage | None = getattr(source, "damage", None)
        self._frames: _Frames = queue.Queue(depth)
        self._stop = threading.Event()
        # Not a daemon: one that is killed inside a decoder's C++ takes the whole process down with it.
        self._thread = threading.Thread(
            target=_decode, args=(source, self._frames, self._stop), name="pyfaceau-decode"
        )
        weakref.finalize(self, self._stop.set)  # for those who forget to close

    def __iter__(self) -> Iterator[VideoFrame]:
        """Yield the frames in order; an error of the source is raised where it would have been."""
        if self._depth == 0:
            yield from self._source
            return
        if self._thread.ident is None and not self._stop.is_set():
            self._thread.start()
        while not self._stop.is_set():
            item = self._frames.get()
            if isinstance(item, VideoFrame):
                yield item
                continue
            self._stop.set()
            if item is not None:
                raise item

    def close(self) -> None:
        """Stop the thread and close the source."""
        self._stop.set()
        if self._thread.ident is not None:
            self._thread.join()
        self._source.close()

    def __enter__(self) -> ReadAhead:
        """Use as a context manager to be sure that the thread ends."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close."""
        self.close()


def _decode(source: FrameSource, frames: _Frames, stop: threading.Event) -> None:
    """Body of the thread; knows nothing of the `ReadAhead`, which may be forgotten meanwhile."""
    end: BaseException | None = None
    try:
        for frame in source:
            if not _put(frames, frame, stop):
                return
    except BaseException as error:  # handed over to the consumer's thread, whatever it is
        end = error
    _put(frames, end, stop)


def _put(frames: _Frames, item: VideoFrame | BaseException | None, stop: threading.Event) -> bool:
    """Hand over one item; False once the consumer has closed or the program ends."""
    while not stop.is_set() and threading.main_thread().is_alive():
        try:
            frames.put(item, timeout=0.1)
        except queue.Full:
            continue
        return True
    return False


def open_video(path: str | os.PathLike[str], depth: int = READ_AHEAD, rotate: int = 0) -> ReadAhead:
    """Open a video file or a folder of images for reading ahead.

    Parameters
    ----------
    path : path-like
        Video file or folder.
    depth : int
        Most frames to decode ahead; with 0 decoding takes turns with what is done to the frames.
    rotate : {0, 90, 180, 270}
        Degrees by which each frame is turned clockwise.

    Returns
    -------
    ReadAhead
        Iterate over it, then close it (or use ``with``).

    Raises
    ------
    VideoError
        Missing, not decodable, or without frames.
    """
    from .turned import Turned

    source: FrameSource = ImageFolder(path) if Path(path).is_dir() else VideoFile(path)
    return ReadAhead(source if rotate == 0 else Turned(source, rotate), depth)


class FrameIterator:
    """Any iterable of images as a sequence.

    Parameters
    ----------
    frames : iterable of ndarray
        Images as :func:`as_bgr` takes them.
    fps : float
        Frames per second, for the time stamps.
    name : str
        For messages and results.

    Raises
    ------
    ValueError
        `fps` is not positive.
    """

    owns_images = False

    def __init__(self, frames: Iterable[npt.NDArray[np.generic]], fps: float, name: str = "frames") -> None:
        if not (math.isfinite(fps) and fps > 0):
            raise ValueError(f"fps must be positive, got {fps}")
        self._frames = frames
        self.fps = fps
        self.name = name
        self.n_frames: int | None = len(frames) if isinstance(frames, Sized) else None

    def __iter__(self) -> Iterator[VideoFrame]:
        """Yield the frames in order.

        Raises
        ------
        TypeError, ValueError
            One of them is not an image.
        """
        for number, image in enumerate(self._frames, start=1):
            yield VideoFrame(number, (number - 1) / self.fps, as_bgr(image))

    def close(self) -> None:
        """Nothing is held open."""
