"""Writes a video that browsers and office programs play, with whatever encoder there is."""

from __future__ import annotations

import importlib
import importlib.util
import os
import re
import shutil
import subprocess
import tempfile
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import lru_cache
from pathlib import Path
from typing import IO, Any, Protocol

import cv2

from ..errors import OutputError
from ..video import BGRImage

# H.264 encoders of FFmpeg that need no special hardware, best first.
_FFMPEG_ENCODERS = ("libx264", "libopenh264")
_PLAYS_ANYWHERE = "H.264"
_FALLBACK = ("mp4v", "MPEG-4 Part 2")
_SOUND_OF_MP4 = ("aac", "mp3")  # that every browser plays from .mp4
_SECONDS = 10.0  # an FFmpeg that does not answer in this time is not used
ADVICE = "browsers may not play it; install FFmpeg, or run `pip install imageio-ffmpeg`, and write it again"


class Encoder(Protocol):
    """Takes the frames of one video."""

    def write(self, frame: BGRImage) -> None:
        """Append a frame."""

    def finish(self) -> None:
        """End the file; raises OSError if that fails."""


class VideoEncoder:
    """Writes an .mp4 with H.264 if an encoder for it is there, else with MPEG-4 Part 2.

    H.264 comes from OpenCV if its build has it, else from an ``ffmpeg`` program or from the package
    ``imageio-ffmpeg``.

    Parameters
    ----------
    path : path-like
        Appears when the encoder is closed; folders are created.
    fps : float
        Frames per second.
    size : (int, int)
        Width and height of the frames, px; both even, as H.264 needs.
    sound_of : path-like, optional
        A video whose sound is taken over, from its beginning to the end of the frames. It needs an FFmpeg program.

    Attributes
    ----------
    path : Path
    codec : str
        "H.264" or "MPEG-4 Part 2".
    sound : str
        "copied", "encoded as AAC", "left out" where there is no FFmpeg program, or empty where there is none.

    Raises
    ------
    OutputError
        The file cannot be written.
    ValueError
        `fps` is not positive, or a side is odd.
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        fps: float,
        size: tuple[int, int],
        sound_of: str | os.PathLike[str] | None = None,
    ) -> None:
        if not fps > 0 or size[0] % 2 or size[1] % 2 or min(size) < 2:
            raise ValueError(f"fps must be positive and both sides even, got {fps} and {size}")
        self.path = Path(path)
        if self.path.suffix.lower() != ".mp4":
            raise OutputError(f"{self.path}: overlay videos are written as .mp4")
        self._part = self.path.with_name(f".{self.path.stem}.{uuid.uuid4().hex}.part.mp4")
        self._size = size
        self._count = 0
        self.sound = ""
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            self._encoder, self.codec = self._open(fps, None if sound_of is None else Path(sound_of))
        except OSError as error:
            raise _cannot(self.path, error) from error

    def write(self, frame: BGRImage) -> None:
        """Append a frame of the size that was announced.

        Raises
        ------
        OutputError
            The encoder refuses it.
        """
        if (frame.shape[1], frame.shape[0]) != self._size:
            raise ValueError(f"frames are {self._size}, got {frame.shape[1::-1]}")
        try:
            self._encoder.write(frame)
        except OSError as error:
            self.discard()
            raise _cannot(self.path, error) from error
        self._count += 1

    def close(self) -> None:
        """Finish the file and give it its name; without a frame there is none.

        Raises
        ------
        OutputError
            It cannot be finished.
        """
        try:
            self._encoder.finish()
            if self._count:
                if self._part.stat().st_size == 0:
                    raise OSError(0, "the file is empty; is the disk full?")
                os.replace(self._part, self.path)
        except OSError as error:
            raise _cannot(self.path, error) from error
        finally:
            self._part.unlink(missing_ok=True)

    def discard(self) -> None:
        """Remove the unfinished file."""
        with suppress(OSError):
            self._encoder.finish()
        self._part.unlink(missing_ok=True)

    def _open(self, fps: float, sound_of: Path | None) -> tuple[Encoder, str]:
        program = ffmpeg_program()
        sound = "" if program is None or sound_of is None else _sound_codec(program[0], sound_of)
        if opencv_writes("avc1") and not sound:
            if program is None and sound_of is not None:
                self.sound = "left out"  # whether there is any is not known
            return _OpenCVEncoder(self._part, "avc1", fps, self._size), _PLAYS_ANYWHERE
        if program is not None:
            self.sound = "" if not sound else "copied" if sound in _SOUND_OF_MP4 else "encoded as AAC"
            taken = None if not sound or sound_of is None else (sound_of, sound)
            return _FFmpegEncoder(program, self._part, fps, self._size, taken), _PLAYS_ANYWHERE
        if sound_of is not None:
            self.sound = "left out"
        return _OpenCVEncoder(self._part, _FALLBACK[0], fps, self._size), _FALLBACK[1]


class _OpenCVEncoder:
    def __init__(self, path: Path, codec: str, fps: float, size: tuple[int, int]) -> None:
        with _silent_opencv():
            self._writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*codec), fps, size)
        if not self._writer.isOpened():
            raise OutputError(f"{path.parent}: no video can be written here (may the folder be written to?)")

    def write(self, frame: BGRImage) -> None:
        self._writer.write(frame)

    def finish(self) -> None:
        self._writer.release()


class _FFmpegEncoder:
    """Frames go into FFmpeg's standard input; its messages are kept for the case that it fails."""

    def __init__(
        self,
        program: tuple[str, str],
        path: Path,
        fps: float,
        size: tuple[int, int],
        sound: tuple[Path, str] | None,
    ) -> None:
        executable, encoder = program
        quality = ("-preset", "veryfast", "-crf", "20") if encoder == "libx264" else ("-b:v", "4M")
        more: tuple[str, ...] = ()
        tracks: tuple[str, ...] = ("-an",)
        if sound is not None:
            # The absolute path cannot be taken for an option or a protocol.
            more = ("-i", f"file:{sound[0].resolve()}")
            way = ("copy",) if sound[1] in _SOUND_OF_MP4 else ("aac", "-b:a", "160k")
            tracks = ("-map", "0:v:0", "-map", "1:a:0", "-c:a", *way, "-shortest")
        self._messages: IO[bytes] = tempfile.TemporaryFile()  # noqa: SIM115 - closed by `finish`
        command = [
            *(executable, "-hide_banner", "-loglevel", "error", "-nostdin", "-y"),
            *("-f", "rawvideo", "-pix_fmt", "bgr24", "-s", f"{size[0]}x{size[1]}", "-r", f"{fps:.6f}"),
            *("-i", "pipe:0", *more, *tracks, "-c:v", encoder, *quality, "-threads", "2"),
            # 4:2:0 is the one layout that every player knows; the index goes to the front for browsers.
            *("-pix_fmt", "yuv420p", "-movflags", "+faststart", str(path)),
        ]
        try:
            self._process = subprocess.Popen(
                command, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=self._messages
            )
        except OSError:
            self._messages.close()
            raise

    def write(self, frame: BGRImage) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(frame.tobytes())

    def finish(self) -> None:
        if self._messages.closed:
            return
        assert self._process.stdin is not None
        with suppress(BrokenPipeError):  # its exit status says more
            self._process.stdin.close()
        failed = self._process.wait() != 0
        self._messages.seek(0)
        message = self._messages.read().decode("utf-8", "replace").strip()
        self._messages.close()
        if failed:
            raise OSError(
                0, f"FFmpeg: {message.splitlines()[-1] if message else 'it ended without a message'}"
            )


def _cannot(path: Path, error: OSError) -> OutputError:
    return OutputError(f"{path}: cannot be written ({error.strerror or error})")


@lru_cache(maxsize=8)
def opencv_writes(codec: str) -> bool:
    """Whether this build of OpenCV encodes a codec into .mp4; tried once with a small file."""
    with tempfile.TemporaryDirectory() as folder, _silent_opencv():
        code = cv2.VideoWriter.fourcc(*codec)
        writer = cv2.VideoWriter(os.path.join(folder, "try.mp4"), code, 25.0, (64, 64))
        opened = writer.isOpened()
        writer.release()
        return opened


@lru_cache(maxsize=1)
def ffmpeg_program() -> tuple[str, str] | None:
    """Find an FFmpeg program that encodes H.264.

    Returns
    -------
    (str, str) or None
        The program and the name of its encoder.
    """
    for candidate in _ffmpeg_candidates():
        try:
            listed = subprocess.run(
                [candidate, "-hide_banner", "-encoders"], capture_output=True, text=True, timeout=_SECONDS
            ).stdout
        except (OSError, subprocess.SubprocessError):
            continue
        words = set(listed.split())
        for encoder in _FFMPEG_ENCODERS:
            if encoder in words:
                return candidate, encoder
    return None


def _sound_codec(executable: str, video: Path) -> str:
    """Return the codec of a video's sound; empty if it has none."""
    if not video.is_file():
        return ""
    try:
        # Without an output FFmpeg describes the input, and fails.
        told = subprocess.run(
            [executable, "-hide_banner", "-nostdin", "-i", f"file:{video.resolve()}"],
            capture_output=True,
            timeout=_SECONDS,
        ).stderr.decode("utf-8", "replace")
    except (OSError, subprocess.SubprocessError):
        return ""
    found = re.search(r"^\s*Stream #.*: Audio: (\w+)", told, re.M)
    return found[1] if found else ""


def _ffmpeg_candidates() -> Iterator[str]:
    found = shutil.which("ffmpeg")
    if found:
        yield found
    if importlib.util.find_spec("imageio_ffmpeg") is not None:
        package: Any = importlib.import_module("imageio_ffmpeg")
        try:
            yield str(package.get_ffmpeg_exe())
        except RuntimeError:  # the package has no program for this platform
            return


@contextmanager
def _silent_opencv() -> Iterator[None]:
    """Keep OpenCV from printing that it has no such encoder, which is an answer here and not an error.

    FFmpeg's libraries inside OpenCV write to the file descriptor themselves.
    """
    level = cv2.utils.logging.getLogLevel()
    cv2.utils.logging.setLogLevel(cv2.utils.logging.LOG_LEVEL_SILENT)
    saved: Any = None
    try:
        saved = os.dup(2)
        with open(os.devnull, "wb") as nowhere:
            os.dup2(nowhere.fileno(), 2)
    except OSError:  # no stderr, as in a windowed program
        pass
    try:
        yield
    finally:
        if saved is not None:
            os.dup2(saved, 2)
            os.close(saved)
        cv2.utils.logging.setLogLevel(level)
