"""Whether browsers play a video, and a copy that they do."""

from __future__ import annotations

import re
from pathlib import Path

import av.error
import cv2
import numpy as np

from ..containers import open_media
from ..errors import OutputError
from ..output.encoding import VideoEncoder
from ..progress import ProgressCallback, progress_reporter
from ..video import open_video

_CONTAINERS = frozenset({".mp4", ".m4v", ".webm", ".mov", ".ogv"})
_USUAL = frozenset({"yuv420p", "yuvj420p"})
# Codecs that all current browsers decode, with the layouts of pixels that they decode of them.
_CODECS = {
    "h264": _USUAL,
    "vp8": _USUAL,
    "vp9": _USUAL | {"yuv420p10le"},
    "av1": _USUAL | {"yuv420p10le"},
}


def obstacle(video: Path) -> str:
    """Say why browsers may not play a video.

    Parameters
    ----------
    video : Path

    Returns
    -------
    str
        What it is, such as "MPEG-4 part 2"; empty for H.264, VP8, VP9 and AV1 in the containers and colours that all
        current browsers know.
    """
    if video.is_dir():
        return "a folder of images"
    try:
        with open_media(video) as source:
            if not source.streams.video:
                return "no video"
            context = source.streams.video[0].codec_context
            codec, colours = context.codec.canonical_name, context.pix_fmt
            # "HEVC (High Efficiency Video Coding)", "H.264 / AVC / MPEG-4 AVC": the first name will do.
            name = re.split(r" [(/]", str(context.codec.long_name))[0]
    except (av.error.FFmpegError, OSError, ValueError):
        return "no video that FFmpeg reads"
    if codec not in _CODECS:
        return name
    if video.suffix.lower() not in _CONTAINERS:
        return f"{name} in a file that does not end in .mp4 or .webm"
    return "" if colours in _CODECS[codec] else f"{name} with colours stored as {colours}"


def copy_for_browsers(video: Path, path: Path, progress: bool | ProgressCallback = False) -> None:
    """Write a copy of a video that browsers play: the same frames at the same times, with the sound.

    Parameters
    ----------
    video : Path
        File, or folder of images.
    path : Path
        Where the copy goes, .mp4; replaced only by a complete file.
    progress : bool or callable
        As in `FullPythonAUPipeline.process_video`.

    Raises
    ------
    VideoError
        The video cannot be read.
    OutputError
        The copy cannot be written, or is the video itself.
    """
    if path.exists() and path.samefile(video):
        raise OutputError(f"{path}: is the video itself; give the page another name")
    encoder: VideoEncoder | None = None
    try:
        with open_video(video) as source, progress_reporter(progress, path.name) as report:
            for frame in source:
                # Sides must be even: a row or column at the edge is shown twice.
                height, width = frame.image.shape[:2]
                edges = (0, height % 2, 0, width % 2)
                image = np.asarray(cv2.copyMakeBorder(frame.image, *edges, cv2.BORDER_REPLICATE), np.uint8)
                if encoder is None:
                    size = image.shape[1], image.shape[0]
                    encoder = VideoEncoder(path, source.fps, size, video)
                elif (image.shape[1], image.shape[0]) != size:  # images of a folder may differ
                    image = np.asarray(cv2.resize(image, size), np.uint8)
                encoder.write(image, frame.timestamp if source.has_clock else None)
                report(frame.number, source.n_frames)
    except BaseException:
        if encoder is not None:
            encoder.discard()
        raise
    assert encoder is not None  # a video without frames is a VideoError
    encoder.close()
