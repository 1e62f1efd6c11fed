"""Whether browsers play a video."""

from __future__ import annotations

from pathlib import Path

import cv2

_CONTAINERS = frozenset({".mp4", ".m4v", ".webm", ".mov", ".ogv"})
# As OpenCV names them, in small letters.
_CODECS = frozenset({"h264", "avc1", "avc3", "vp80", "vp90", "vp08", "vp09", "av01"})


def plays_in_browsers(video: Path) -> bool:
    """Whether all current browsers play a video.

    Parameters
    ----------
    video : Path

    Returns
    -------
    bool
        True for H.264, VP8, VP9 and AV1 in the containers that browsers know.
    """
    if video.suffix.lower() not in _CONTAINERS:
        return False
    capture = cv2.VideoCapture(str(video))
    try:
        number = int(capture.get(cv2.CAP_PROP_FOURCC))
    finally:
        capture.release()
    return number.to_bytes(4, "little", signed=False).decode("latin-1").lower() in _CODECS
