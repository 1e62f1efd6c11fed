"""Makes videos and images of many kinds, with FFmpeg, from frames of the demo clip, and knows what each must give.

``python tests/media_kinds.py FOLDER`` writes them all and prints what is expected of them.
"""

from __future__ import annotations

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
        That its table has.
    portrait : bool
        Whether analysed frames are higher than wide.
    times : tuple of float, optional
        Time stamps in s; those of 25 frames a second by default.
    rotated : int
        By how much `rotate="auto"` turns it.
    photos : bool
        Single images, with static models.
    error : str
        What the message says if it cannot be read.
    versions : str
        Versions of OpenCV that can read it all the same, "X.Y" and before.
    """

    name: str
    make: Callable[[Maker, Path], None]
    rows: int = FRAMES
    portrait: bool = True
    times: tuple[float, ...] | None = None
    rotated: int = 0
    photos: bool = False
    error: str = ""
    versions: str = ""

    def reads(self) -> bool:
        """Whether this OpenCV reads a kind that others do not."""
        here, last = (
            tuple(map(int, text.split(".")[:2])) for text in (cv2.__version__, self.versions or "0.0")
        )
        return here <= last


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
            error="all frames are the same",
            versions="4.12",
        ),
        Kind("late-start.ts", encoded("-output_ts_offset", 5, *X264)),
        Kind("with-sound.mp4", _with_sound),
        Kind("vfr.mp4", encoded("-vf", LATE, "-fps_mode", "vfr", *X264), times=LATE_TIMES),
        Kind("vfr.mkv", encoded("-vf", LATE, "-fps_mode", "vfr", *X264), times=LATE_TIMES),
        Kind("phone.mp4", _phone),
        Kind("upside-down.mp4", encoded("-vf", "hflip,vflip", *X264), rotated=180),
        Kind("sideways.mp4", encoded("-vf", "transpose=1", *X264), rotated=270),
        Kind("cut.mp4", _cut, error="not a video that can be decoded"),
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
