"""Writes a video that browsers and office programs play, with its sound."""

from __future__ import annotations

import os
import uuid
from collections.abc import Iterator
from contextlib import suppress
from fractions import Fraction
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import av
import av.codec
import av.error

from ..containers import open_media
from ..errors import OutputError
from ..video import BGRImage

if TYPE_CHECKING:
    from av.video.stream import VideoStream

# H.264 encoders of FFmpeg that need no special hardware, best first, with their options.
_H264: dict[str, dict[str, str]] = {
    "libx264": {"preset": "veryfast", "crf": "20"},
    "libopenh264": {"b": "4000000"},
}
_FALLBACK = ("mpeg4", {"b": "4000000"})
_NAMES = {"mpeg4": "MPEG-4 Part 2"}
_SOUND_OF_MP4 = ("aac", "mp3")  # that every browser plays from .mp4
_SOUND_BITS = 160_000  # a second
_TICKS = 60_000  # a second; MPEG-4 Part 2 counts to 65535 at most
_THREADS = 2
_UNREADABLE = (av.error.FFmpegError, OSError, ValueError)
ADVICE = (
    "browsers do not play it. The PyAV that is installed has no encoder for H.264; that of the package index has: "
    "pip install --force-reinstall --no-deps av"
)


class VideoEncoder:
    """Writes an .mp4 with H.264, by the FFmpeg inside PyAV; with MPEG-4 Part 2 if that FFmpeg has no H.264.

    Parameters
    ----------
    path : path-like
        Appears when the encoder is closed; folders are created.
    fps : float
        Frames per second.
    size : (int, int)
        Width and height of the frames, px; both even, as H.264 needs.
    sound_of : path-like, optional
        A video whose sound is taken over, from the beginning of its picture to the end of the frames.

    Attributes
    ----------
    path : Path
    codec : str
        "H.264" or "MPEG-4 Part 2".
    sound : str
        "copied", "encoded as AAC", "left out" where it cannot be read, or empty where there is none.

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
            raise OutputError(f"{self.path}: videos are written as .mp4")
        self._part = self.path.with_name(f".{self.path.stem}.{uuid.uuid4().hex}.part.mp4")
        self._size = size
        self._fps = fps
        self._count = 0
        self._last = -1
        name = h264_encoder()
        name, options = (name, _H264[name]) if name else _FALLBACK
        self.codec = _NAMES.get(name, "H.264")
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            # The index goes to the front, so that browsers can begin at once.
            self._output = av.open(
                str(self._part.resolve()), "w", format="mp4", options={"movflags": "+faststart"}
            )
            rate = Fraction(fps).limit_denominator(_TICKS)
            self._stream = cast("VideoStream", self._output.add_stream(name, rate, dict(options)))
            self._stream.width, self._stream.height = size
            self._stream.pix_fmt = "yuv420p"  # the one layout that every player knows
            self._stream.codec_context.time_base = Fraction(1, _TICKS)
            self._stream.codec_context.thread_count = _THREADS
            self._sound = None if sound_of is None else _Sound.of(Path(sound_of), self._output)
            self.sound = "" if self._sound is None else self._sound.said
            self._output.start_encoding()
        except (OSError, av.error.FFmpegError) as error:
            self.discard()
            raise _cannot(self.path, error) from error

    def write(self, frame: BGRImage, time: float | None = None) -> None:
        """Append a frame of the size that was announced.

        Parameters
        ----------
        frame : ndarray, shape (H, W, 3), uint8
            BGR.
        time : float, optional
            When it is shown, s; by the frame rate if it is not given. Where times do not rise, the frame is shown next.

        Raises
        ------
        OutputError
            The encoder refuses it.
        """
        if (frame.shape[1], frame.shape[0]) != self._size:
            raise ValueError(f"frames are {self._size}, got {frame.shape[1::-1]}")
        shown = self._count / self._fps if time is None else time
        picture = av.VideoFrame.from_ndarray(frame, format="bgr24")
        picture.time_base = Fraction(1, _TICKS)
        picture.pts = self._last = max(round(shown * _TICKS), self._last + 1)
        try:
            self._output.mux(self._stream.encode(picture))
            if self._sound is not None:
                self._sound.until(shown, self._output)
        except (OSError, av.error.FFmpegError) as error:
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
            self._output.mux(self._stream.encode(None))
            if self._sound is not None:
                self._sound.until(self._last / _TICKS + 1 / self._fps, self._output)
                self._sound.close()
            self._output.close()
            if self._count:
                if self._part.stat().st_size == 0:
                    raise OSError(0, "the file is empty; is the disk full?")
                os.replace(self._part, self.path)
        except (OSError, av.error.FFmpegError) as error:
            raise _cannot(self.path, error) from error
        finally:
            self._part.unlink(missing_ok=True)

    def discard(self) -> None:
        """Remove the unfinished file."""
        for part in (getattr(self, "_sound", None), getattr(self, "_output", None)):
            if part is not None:
                with suppress(OSError, av.error.FFmpegError):
                    part.close()
        with suppress(OSError):
            self._part.unlink(missing_ok=True)


class _Sound:
    """The sound of a video, on its way into another one."""

    def __init__(self, source: Any, output: Any) -> None:
        self._source = source
        self._from: Any = source.streams.audio[0]
        codec = self._from.codec_context
        self._copied = codec.codec.canonical_name in _SOUND_OF_MP4
        if self._copied:
            self._to: Any = output.add_stream_from_template(self._from)
        else:
            # Files without a compression often do not say which speakers their channels are for.
            layout = {1: "mono", 2: "stereo"}.get(codec.channels, codec.layout.name)
            self._to = output.add_stream("aac", codec.sample_rate, layout=layout)
            self._to.bit_rate = _SOUND_BITS
        self.said = "copied" if self._copied else "encoded as AAC"
        pictures = [stream for stream in source.streams.video if stream.start_time is not None]
        # Of the picture, s: the frames that it goes with are counted from there.
        self._start = (
            pictures[0].start_time * pictures[0].time_base
            if pictures
            else Fraction(source.start_time or 0, av.time_base)
        )
        self._left = self._packets()
        self._waiting: tuple[float, Any] | None = None

    @classmethod
    def of(cls, video: Path, output: Any) -> _Sound | _Silence | None:
        """Take the sound of a video; None if it has none."""
        if not video.is_file():
            return None
        source = None
        try:
            source = open_media(video)
            if source.streams.audio and source.streams.audio[0].codec_context is not None:
                return cls(source, output)
        except _UNREADABLE:
            if source is not None:
                source.close()
            return _Silence()
        source.close()
        return None

    def until(self, time: float, output: Any) -> None:
        """Write what is heard before a time, s."""
        while True:
            if self._waiting is None:
                try:
                    self._waiting = next(self._left, None)
                except _UNREADABLE:  # damaged from here on: the rest is silent
                    self._left = iter(())
            if self._waiting is None or self._waiting[0] >= time:
                return
            output.mux(self._waiting[1])
            self._waiting = None

    def close(self) -> None:
        """Release the source."""
        self._source.close()

    def _packets(self) -> Iterator[tuple[float, Any]]:
        """Yield what is heard from the first frame on, each piece with its time, s."""
        for packet in self._copies() if self._copied else self._encoded():
            time = float(packet.pts * packet.time_base)
            if time >= 0:
                yield time, packet

    def _copies(self) -> Iterator[Any]:
        for packet in self._source.demux(self._from):
            if packet.pts is not None and packet.dts is not None:
                shift = round(self._start / packet.time_base)
                packet.pts, packet.dts = packet.pts - shift, packet.dts - shift
                packet.stream = self._to
                yield packet

    def _encoded(self) -> Iterator[Any]:
        for frame in self._source.decode(self._from):
            if frame.pts is not None:
                frame.pts -= round(self._start / frame.time_base)
                yield from self._to.encode(frame)
        yield from self._to.encode(None)


class _Silence:
    """In place of a sound that cannot be read."""

    said = "left out"

    def until(self, time: float, output: Any) -> None:
        """Nothing is heard."""

    def close(self) -> None:
        """Nothing is held open."""


def _cannot(path: Path, error: Exception) -> OutputError:
    return OutputError(f"{path}: cannot be written ({getattr(error, 'strerror', None) or error})")


@lru_cache(maxsize=1)
def h264_encoder() -> str:
    """Name the encoder of H.264 that PyAV's FFmpeg has; empty if it has none."""
    for name in _H264:
        with suppress(ValueError):
            return str(av.codec.Codec(name, "w").name)
    return ""
