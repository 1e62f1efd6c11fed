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
from pathlib import Path
from types import TracebackType
from typing import Protocol, TypeAlias

import cv2
import numpy as np
import numpy.typing as npt

from pyclnf.image import to_uint8

from .errors import VideoError

DEFAULT_FPS = 30.0  # OpenFace 2.2: SequenceCapture, where the container names none
IMAGE_SUFFIXES = (".jpg", ".jpeg", ".png", ".bmp")  # OpenFace 2.2: SequenceCapture
READ_AHEAD = 8  # frames; enough to hide decoding, at most 50 MB of full-HD frames

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
        Seconds since the first frame; 0 for folders of images, which have no clock.
    image : ndarray, shape (H, W, 3), uint8
        BGR.
    """

    number: int
    timestamp: float
    image: BGRImage


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
    A source may write all frames into one buffer; a run then copies them. One whose frames have memory of their own
    says so with an attribute ``owns_images = True``.
    """

    name: str
    fps: float
    n_frames: int | None

    def __iter__(self) -> Iterator[VideoFrame]:
        """Yield the frames in order."""

    def close(self) -> None:
        """Release the file; iteration ends."""


class VideoFile:
    """Frames of a video file, through OpenCV.

    Parameters
    ----------
    path : path-like
        Anything that OpenCV's FFmpeg decodes.

    Raises
    ------
    VideoError
        No such file, not a video, or a video without a single frame.
    """

    owns_images = True

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.path = Path(path)
        self.name = str(self.path)
        if not self.path.exists():
            raise VideoError(f"{self.path}: no such file")
        if not os.access(self.path, os.R_OK):
            raise VideoError(f"{self.path}: may not be read (check the file's permissions)")
        self._capture = _open_capture(self.path)
        if not self._capture.isOpened():
            raise VideoError(f"{self.path}: not a video that can be decoded (is it damaged, or not a video?)")
        read, first = self._capture.read()
        if not read:
            self._capture.release()
            raise VideoError(f"{self.path}: the video holds no frames (is it damaged or cut short?)")
        self.decoder = _decoder(self._capture)
        self._first: BGRImage | None = as_bgr(first)
        fps = self._capture.get(cv2.CAP_PROP_FPS)
        self.fps = fps if math.isfinite(fps) and fps > 0 else DEFAULT_FPS
        count = self._capture.get(cv2.CAP_PROP_FRAME_COUNT)
        self.n_frames = int(count) if math.isfinite(count) and count > 0 else None

    def __iter__(self) -> Iterator[VideoFrame]:
        """Yield the frames in order; a second iteration yields nothing, as the stream is read."""
        image, number = self._first, 0
        self._first = None
        while image is not None:
            number += 1
            yield VideoFrame(number, (number - 1) / self.fps, image)
            read, decoded = self._capture.read()
            image = as_bgr(decoded) if read else None

    def close(self) -> None:
        """Release the file."""
        self._capture.release()


def _decoder(capture: cv2.VideoCapture) -> dict[str, str]:
    """Name what decodes a video, which is part of the numbers: builds of FFmpeg differ in some pixels."""
    library = re.search(r"avcodec:\s+YES \(([\d.]+)\)", cv2.getBuildInformation())
    reader = capture.getBackendName()
    found = {"reader": reader, "opencv": cv2.__version__}
    return {**found, "avcodec": library[1]} if reader == "FFMPEG" and library else found


def _open_capture(path: Path) -> cv2.VideoCapture:
    """Prefer FFmpeg: other backends take a text file or a numbered image for something else."""
    if cv2.CAP_FFMPEG in cv2.videoio_registry.getStreamBackends():
        return cv2.VideoCapture(str(path), cv2.CAP_FFMPEG)
    return cv2.VideoCapture(str(path))


class ImageFolder:
    """The images of a folder as a sequence, sorted by name, read as 8-bit colour.

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
        self._files = sorted(file for file in self.path.iterdir() if file.suffix.lower() in IMAGE_SUFFIXES)
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
        Most frames to hold.
    """

    def __init__(self, source: FrameSource, depth: int = READ_AHEAD) -> None:
        if depth < 1:
            raise ValueError(f"depth must be at least 1, got {depth}")
        self._source = source
        self.name = source.name
        self.fps = source.fps
        self.n_frames = source.n_frames
        self.owns_images: bool = getattr(source, "owns_images", False)
        self.decoder: dict[str, str] | None = getattr(source, "decoder", None)
        self._frames: _Frames = queue.Queue(depth)
        self._stop = threading.Event()
        # Not a daemon: one that is killed inside a decoder's C++ takes the whole process down with it.
        self._thread = threading.Thread(
            target=_decode, args=(source, self._frames, self._stop), name="pyfaceau-decode"
        )
        weakref.finalize(self, self._stop.set)  # for those who forget to close

    def __iter__(self) -> Iterator[VideoFrame]:
        """Yield the frames in order; an error of the source is raised where it would have been."""
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


def open_video(path: str | os.PathLike[str], depth: int = READ_AHEAD) -> ReadAhead:
    """Open a video file or a folder of images for reading ahead.

    Parameters
    ----------
    path : path-like
        Video file or folder.
    depth : int
        Most frames to decode ahead.

    Returns
    -------
    ReadAhead
        Iterate over it, then close it (or use ``with``).

    Raises
    ------
    VideoError
        Missing, not decodable, or without frames.
    """
    source: FrameSource = ImageFolder(path) if Path(path).is_dir() else VideoFile(path)
    return ReadAhead(source, depth)


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
