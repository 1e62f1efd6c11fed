"""Makes videos and images of many kinds, with FFmpeg, from frames of the demo clip, and knows what each must give.

``python tests/media_kinds.py FOLDER`` writes them all and prints what is expected of them.
"""

from __future__ import annotations

import re
import shutil
import struct
import subprocess
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from pyfaceau.demo import DEMO_CLIP

FRAMES = 12
FPS = 25.0
Image = np.ndarray


@dataclass(frozen=True)
class Kind:
    """One kind of file.

    Attributes
    ----------
    name : str
        Of the file.
    make : callable
        Writes it: ``make(maker, path)``.
    rows : int
        That its table has; -1 where only FFmpeg knows.
    portrait : bool
        Whether analysed frames are higher than wide.
    times : tuple of float, optional
        Time stamps in s; those of 25 frames a second by default, empty for any that rise.
    rotated : int
        By how much `rotate="auto"` turns it.
    photos : bool
        Single images, with static models.
    error : str
        What the message says if it cannot be read.
    damage : tuple of str
        What of it the record must name.
    """

    name: str
    make: Callable[[Maker, Path], None]
    rows: int = FRAMES
    portrait: bool = True
    times: tuple[float, ...] | None = None
    rotated: int = 0
    photos: bool = False
    error: str = ""
    damage: tuple[str, ...] = ()


def ffmpeg_program() -> str | None:
    """Find an FFmpeg program: the system's, or the one of imageio-ffmpeg."""
    found = shutil.which("ffmpeg")
    if found is None:
        try:
            from imageio_ffmpeg import get_ffmpeg_exe
        except ImportError:
            return None
        found = str(get_ffmpeg_exe())
    return found


class Maker:
    """Frames of the demo clip, and FFmpeg to write them."""

    def __init__(self, program: str, work: Path) -> None:
        self.program = program
        capture = cv2.VideoCapture(str(DEMO_CLIP))
        self.frames: list[Image] = [capture.read()[1] for _ in range(FRAMES)]
        capture.release()
        self.pattern = work / "frame-%03d.png"
        for number, frame in enumerate(self.frames, start=1):
            cv2.imwrite(str(self.pattern) % number, frame)

    def run(self, *arguments: object) -> None:
        """Run FFmpeg; its complaints go into the error."""
        line = [self.program, "-y", "-v", "error", "-threads", "1", *map(str, arguments)]
        done = subprocess.run(line, capture_output=True, text=True, stdin=subprocess.DEVNULL, check=False)
        if done.returncode:
            raise RuntimeError(f"{' '.join(line)}: {done.stderr}")

    def encode(self, path: Path, *arguments: object) -> None:
        """Write the frames as a video."""
        self.run("-framerate", f"{FPS:g}", "-i", self.pattern, *arguments, path)


def encoded(*arguments: object) -> Callable[[Maker, Path], None]:
    """Make a writer of the frames as a video, with these arguments of FFmpeg."""
    return lambda maker, path: maker.encode(path, *arguments)


X264 = ("-c:v", "libx264", "-preset", "ultrafast", "-crf", "10", "-pix_fmt", "yuv420p")
# Frame n, from 0, is shown at 40 n ms, and from the sixth on a second later.
LATE = "setpts='(N*0.04+gte(N,5))/TB'"
LATE_TIMES = tuple(n / FPS + (n >= 5) for n in range(FRAMES))


def _phone(maker: Maker, path: Path) -> None:
    """Stored sideways, with the note that players turn it."""
    lying = path.with_name("lying.mp4")
    maker.encode(lying, "-vf", "transpose=2", *X264)
    try:
        maker.run("-display_rotation", "270", "-i", lying, "-c", "copy", path)
    except RuntimeError:  # FFmpeg before 6
        maker.run("-i", lying, "-c", "copy", "-metadata:s:v", "rotate=270", path)
    lying.unlink()


def _with_sound(maker: Maker, path: Path) -> None:
    sound = ("-f", "lavfi", "-i", "sine=frequency=440:duration=0.48")
    maker.run(
        *sound,
        "-framerate",
        f"{FPS:g}",
        "-i",
        maker.pattern,
        *X264,
        "-c:a",
        "aac",
        "-map",
        "0",
        "-map",
        "1",
        path,
    )


def _cut(maker: Maker, path: Path) -> None:
    """The first half of a file whose index is at its end."""
    maker.encode(path, *X264)
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def _half(whole: str, *arguments: object) -> Callable[[Maker, Path], None]:
    """The first half of a file of that name."""

    def make(maker: Maker, path: Path) -> None:
        complete = path.with_name(f"whole-{whole}")
        maker.encode(complete, *arguments)
        path.write_bytes(complete.read_bytes()[: complete.stat().st_size // 2])
        complete.unlink()

    return make


def _resized(maker: Maker, path: Path) -> None:
    """Two streams one after the other, the second of half the size."""
    parts = [path.with_name("first.ts"), path.with_name("second.ts")]
    maker.encode(parts[0], *X264)
    maker.encode(parts[1], "-vf", "scale=180:204", *X264)
    path.write_bytes(b"".join(part.read_bytes() for part in parts))
    for part in parts:
        part.unlink()


def _hole(maker: Maker, path: Path) -> None:
    """The beginning of the sixth JPEG picture is overwritten."""
    maker.encode(path, "-c:v", "mjpeg", "-q:v", 3)
    data = bytearray(path.read_bytes())
    begin = [found.start() for found in re.finditer(b"\xff\xd8", bytes(data))][5]
    data[begin : begin + 3000] = bytes(3000)
    path.write_bytes(bytes(data))


def _miscounted(count: int) -> Callable[[Maker, Path], None]:
    """Another number of frames stands in the headers."""

    def make(maker: Maker, path: Path) -> None:
        maker.encode(path, "-c:v", "mjpeg", "-q:v", 3)
        data = bytearray(path.read_bytes())
        struct.pack_into("<I", data, data.index(b"avih") + 24, count)
        struct.pack_into("<I", data, data.index(b"strh") + 40, count)
        path.write_bytes(bytes(data))

    return make


def _sound(maker: Maker, path: Path) -> None:
    maker.run("-f", "lavfi", "-i", "sine=duration=1", "-c:a", "aac", path)


def _song(maker: Maker, path: Path) -> None:
    cover = (
        "-i",
        str(maker.pattern) % 1,
        "-map",
        0,
        "-map",
        1,
        "-c:v",
        "mjpeg",
        "-disposition:v",
        "attached_pic",
    )
    maker.run("-f", "lavfi", "-i", "sine=duration=1", *cover, path)


def _no_frames(maker: Maker, path: Path) -> None:
    cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"MJPG"), FPS, (64, 48)).release()


def _list(maker: Maker, path: Path) -> None:
    maker.encode(path.with_name("other.mp4"), *X264)
    path.write_text("ffconcat version 1.0\nfile other.mp4\n")


def _text(content: str) -> Callable[[Maker, Path], None]:
    return lambda maker, path: path.write_text(content) and None


def _numbered(maker: Maker, path: Path) -> None:
    path.mkdir()
    for number, frame in enumerate(maker.frames, start=1):
        cv2.imwrite(str(path / f"img{number}.png"), frame)


def _people(maker: Maker, path: Path) -> None:
    cv2.imwrite(str(path), np.hstack([maker.frames[0], maker.frames[-1]]))


def _album(maker: Maker, path: Path) -> None:
    path.mkdir()
    cv2.imwrite(str(path / "anna.jpg"), maker.frames[0])
    cv2.imwrite(str(path / "berta and clara.png"), np.hstack(maker.frames[:2]))
    cv2.imwrite(str(path / "wall.png"), np.full((200, 300, 3), 90, np.uint8))


def _exif(maker: Maker, path: Path) -> None:
    """Stored sideways, with the note of cameras that it is to be turned clockwise (orientation 6)."""
    data = cv2.imencode(".jpg", cv2.rotate(maker.frames[0], cv2.ROTATE_90_COUNTERCLOCKWISE))[1].tobytes()
    tiff = b"II*\0" + struct.pack("<IHHHIHHI", 8, 1, 0x0112, 3, 1, 6, 0, 0)
    block = b"Exif\0\0" + tiff
    path.write_bytes(data[:2] + b"\xff\xe1" + struct.pack(">H", len(block) + 2) + block + data[2:])


def _image(convert: Callable[[Image], Image]) -> Callable[[Maker, Path], None]:
    def make(maker: Maker, path: Path) -> None:
        assert cv2.imwrite(str(path), convert(maker.frames[0]))

    return make


def _deep(image: Image) -> Image:
    return image.astype(np.uint16) * 256


def _kinds() -> tuple[Kind, ...]:
    odd = ("-vf", "crop=iw-1:ih-1:0:0")
    photo = {"rows": 1, "photos": True}
    return (
        Kind("h264.mp4", encoded(*X264)),
        Kind(
            "hevc.mp4", encoded("-c:v", "libx265", "-preset", "ultrafast", "-x265-params", "log-level=none")
        ),
        Kind("vp9.webm", encoded("-c:v", "libvpx-vp9", "-cpu-used", 8, "-b:v", "2M")),
        Kind("av1.mkv", encoded("-c:v", "libaom-av1", "-cpu-used", 8, "-b:v", "2M")),
        Kind("mpeg2.mpg", encoded("-c:v", "mpeg2video", "-q:v", 3)),
        Kind("wmv.wmv", encoded("-c:v", "wmv2", "-q:v", 3)),
        Kind("mjpeg.avi", encoded("-c:v", "mjpeg", "-q:v", 3)),
        Kind("animation.gif", encoded("-vf", "split[a][b];[a]palettegen[p];[b][p]paletteuse")),
        Kind("grey.mkv", encoded("-c:v", "ffv1", "-pix_fmt", "gray")),
        Kind("ten-bit.mp4", encoded("-c:v", "libx264", "-preset", "ultrafast", "-pix_fmt", "yuv420p10le")),
        Kind("odd-size.mkv", encoded(*odd, "-c:v", "ffv1", "-pix_fmt", "bgr0")),
        Kind(
            "interlaced.mp4",
            encoded("-vf", "crop=360:408:0:0", *X264, "-flags", "+ildct+ilme"),
        ),
        Kind("late-start.ts", encoded("-output_ts_offset", 5, *X264)),
        Kind("with-sound.mp4", _with_sound),
        Kind("vfr.mp4", encoded("-vf", LATE, "-fps_mode", "vfr", *X264), times=LATE_TIMES),
        Kind("vfr.mkv", encoded("-vf", LATE, "-fps_mode", "vfr", *X264), times=LATE_TIMES),
        Kind("phone.mp4", _phone),
        Kind("upside-down.mp4", encoded("-vf", "hflip,vflip", *X264), rotated=180),
        Kind("sideways.mp4", encoded("-vf", "transpose=1", *X264), rotated=270),
        Kind("cut.mp4", _cut, error="not a video that can be decoded"),
        Kind("bt709.mp4", encoded(*X264, "-colorspace", "bt709", "-color_range", "tv")),
        Kind("Grüße 表情 🙂.mp4", encoded(*X264)),
        Kind("10:20 %03d.mkv", encoded(*X264)),
        Kind("one.webm", encoded("-frames:v", 1, "-c:v", "libvpx-vp9"), rows=1),
        Kind("resized.ts", _resized, rows=2 * FRAMES, times=(), damage=("scaled",)),
        Kind("hole.avi", _hole, rows=FRAMES - 1, times=(), damage=("lost_before", "undecodable")),
        Kind("cut.mkv", _half("h264.mkv", *X264, "-g", 4), rows=-1, damage=("ends_early_s",)),
        Kind("cut.ts", _half("h264.ts", *X264, "-g", 4), rows=-1, damage=("corrupt",)),
        Kind(
            "cut-early-index.mp4",
            _half("h264.mp4", *X264, "-g", 4, "-movflags", "+faststart"),
            rows=-1,
            damage=("missing",),
        ),
        Kind("too-few.avi", _miscounted(3)),
        Kind("too-many.avi", _miscounted(500), damage=("missing",)),
        Kind("sound.m4a", _sound, error="holds sound and no picture"),
        Kind("song-with-cover.mp3", _song, error="holds sound and no picture"),
        Kind("empty.mp4", lambda maker, path: path.touch(), error="not a video that can be decoded"),
        Kind("no-frames.avi", _no_frames, error="holds no frames|not a video"),
        Kind("list.mp4", _list, error="a list of others"),
        Kind("playlist.mp4", _text("#EXTM3U\n#EXTINF:10,\nother.ts\n#EXT-X-ENDLIST\n"), error="not a video"),
        Kind("numbered", _numbered, times=(0.0,) * FRAMES),
        Kind("rgba.png", _image(lambda image: cv2.cvtColor(image, cv2.COLOR_BGR2BGRA)), **photo),
        Kind("grey.png", _image(lambda image: cv2.cvtColor(image, cv2.COLOR_BGR2GRAY)), **photo),
        Kind("deep.png", _image(_deep), **photo),
        Kind("deep.tif", _image(_deep), **photo),
        Kind("photo.webp", _image(lambda image: image), **photo),
        Kind("exif.jpg", _exif, **photo),
        Kind("people.jpg", _people, rows=2, portrait=False, photos=True),
        Kind("album", _album, rows=3, photos=True),
    )


KINDS = _kinds()

if __name__ == "__main__":
    program = ffmpeg_program()
    if program is None or len(sys.argv) != 2:
        sys.exit(
            "usage: python tests/media_kinds.py FOLDER; needs an FFmpeg program, or `pip install imageio-ffmpeg`"
        )
    target = Path(sys.argv[1])
    target.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as work:
        maker = Maker(program, Path(work))
        for kind in KINDS:
            kind.make(maker, target / kind.name)
            print(
                f"{kind.name}: {kind.error or f'{kind.rows} rows'}{f', turned {kind.rotated}' * bool(kind.rotated)}"
            )
