"""Which way up a video is: looks for faces in a few of its frames, as they are and turned."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Literal, TypeAlias, get_args

from pyclnf import CLNF
from pyclnf.image import whole

from ._warning import warn
from .engine import Engine
from .errors import RotationWarning, VideoError
from .inputs import images_in
from .turned import turned
from .video import IMAGE_SUFFIXES, BGRImage, open_video, read_image

Rotation: TypeAlias = Literal["auto", 0, 90, 180, 270]
_SAMPLES = 12  # spread over the whole video


def rotation_of(engine: Engine, path: Path, wanted: Rotation) -> int:
    """Choose by how much the frames of a video are turned.

    Parameters
    ----------
    engine : Engine
    path : Path
        Video or folder of images.
    wanted : {"auto", 0, 90, 180, 270}
        "auto": not at all if any of a dozen frames shows an upright face; else the way in which most of them show one,
        if it is at least half of them.

    Returns
    -------
    int
        Degrees clockwise.

    Warns
    -----
    RotationWarning
        "auto" turns the frames.
    """
    if wanted != "auto":
        return wanted
    open_video(path).close()  # its own errors come first
    fitter = CLNF(engine.landmark_model, parameters=engine.parameters, threads=engine.options.n_threads)

    def shows_face(image: BGRImage) -> bool:
        return any(fitter.fit(image, found.box).valid for found in engine.detector.detect(image))

    samples: list[BGRImage] = []
    for image in _samples(path):
        if shows_face(image):
            return 0
        samples.append(image)
    counts = {
        degrees: sum(shows_face(turned(image, degrees)) for image in samples) for degrees in (180, 90, 270)
    }
    best = max(counts, key=lambda degrees: counts[degrees])
    if not samples or counts[best] * 2 < len(samples):
        return 0
    warn(
        f"{path}: no face in it is upright; its frames are turned clockwise by {best} degrees "
        f"(rotate=0, --rotate 0 to leave them as they are)",
        RotationWarning,
    )
    return best


def check_rotation(wanted: object) -> None:
    """Raise ValueError unless a value is a `Rotation`."""
    if isinstance(wanted, bool) or wanted not in get_args(Rotation):
        raise ValueError(f"rotate must be one of {', '.join(map(str, get_args(Rotation)))}, got {wanted!r}")


def _samples(path: Path) -> Iterator[BGRImage]:
    """Yield some frames; which ones exactly does not matter, so a video is searched and not read."""
    if path.is_dir():
        files = images_in(path, IMAGE_SUFFIXES)
        for index in _spread(len(files)):
            with suppress(VideoError):  # said when its turn comes
                yield read_image(files[index])
        return
    from .containers import Container  # loads FFmpeg

    container = Container(path)
    try:
        for place in range(_SAMPLES):
            if place:
                container.seek(place / _SAMPLES)
            found = next(container.pictures(), None)
            if found is None:
                return
            yield whole(found[0])
    finally:
        container.close()


def _spread(count: int) -> list[int]:
    """Places from the first to near the last of `count`, each once."""
    return sorted({count * n // _SAMPLES for n in range(_SAMPLES)}) if count > 0 else [0]
