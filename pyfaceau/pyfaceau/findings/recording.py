"""How good a recording is: tracking, confidence, head pose, light, sharpness."""

from __future__ import annotations

import os
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from .layout import has_face, numbers, tracks, values, with_keys

#: Pitch, yaw, roll in degrees beyond which the numbers are not to be trusted. The landmark models have views at 0,
#: 20, 45 and 70 degrees of yaw, and none of pitch; from 45 on one half of the face is hidden. The action units were
#: learnt on nearly frontal faces.
POSE_LIMITS = (30.0, 45.0, 30.0)
LOW_CONFIDENCE = 0.8
_FRAMES_LOOKED_AT = 100
_DARK, _BRIGHT = 16, 239  # of 0 to 255


def summarise_quality(
    table: pd.DataFrame,
    *,
    video: str | os.PathLike[str] | None = None,
    low_confidence: float = LOW_CONFIDENCE,
    pose_limits: tuple[float, float, float] = POSE_LIMITS,
) -> pd.DataFrame:
    """Judge a recording; see `FaceTable.quality`."""
    found = tracks(table)
    seen = has_face(table)
    outside = _outside(table, pose_limits)
    parts = []
    for track in found:
        here, rows = seen[track.rows], track.rows
        sure = (
            numbers(table, "confidence")[rows][here] if "confidence" in table else np.full(here.sum(), np.nan)
        )
        missing = np.concatenate(([0], (~here).astype(np.int8), [0]))
        edges = np.diff(missing)
        gaps = np.flatnonzero(edges == -1) - np.flatnonzero(edges == 1)
        figures = {
            "frames": len(rows),
            "tracked": _mean(here.astype(np.float64)),
            "longest_gap": int(gaps.max()) if len(gaps) else 0,
            "confidence": _mean(sure),
            "low_confidence": np.nan if not np.isfinite(sure).any() else _mean((sure < low_confidence) * 1.0),
            "pose_outside": np.nan if outside is None else _mean(outside[rows][here] * 1.0),
        }
        parts.append((track, pd.DataFrame([figures])))
    out = with_keys(parts) if parts else pd.DataFrame([{"frames": 0}])
    out = out.droplevel(-1) if out.index.nlevels > 1 else out
    if video is not None:
        for name, value in picture_quality(video).items():
            out[name] = value
    return out


def _mean(of: npt.NDArray[np.floating[Any]]) -> float:
    of = of[~np.isnan(of)]
    return float(of.mean()) if len(of) else float("nan")


def _outside(table: pd.DataFrame, limits: tuple[float, float, float]) -> npt.NDArray[np.bool_] | None:
    names = [f"pose_R{axis}" for axis in "xyz"]
    if any(name not in table for name in names):
        return None
    return np.asarray((np.abs(np.degrees(values(table, names))) > np.asarray(limits)).any(axis=1))


def picture_quality(video: str | os.PathLike[str]) -> dict[str, float]:
    """Measure light and sharpness of a video, on up to a hundred frames spread over it.

    Parameters
    ----------
    video : path-like

    Returns
    -------
    dict of str to float
        ``brightness``: mean grey level, 0 to 255; ``dark``, ``bright``: shares of pixels below 16 and above 239;
        ``sharpness``: variance of the Laplacian (Pech-Pacheco et al. 2000), which compares frames of one camera, not
        cameras.

    Raises
    ------
    VideoError
        The video cannot be read.
    """
    import cv2

    from ..video import open_video

    figures = []
    with open_video(video) as source:
        every = max(1, (source.n_frames or 1) // _FRAMES_LOOKED_AT)
        for number, frame in enumerate(source):
            if number % every:
                continue
            grey = cv2.cvtColor(frame.image, cv2.COLOR_BGR2GRAY)
            sharp = float(cv2.Laplacian(grey, cv2.CV_64F).var())
            figures.append((grey.mean(), (grey < _DARK).mean(), (grey > _BRIGHT).mean(), sharp))
            if len(figures) >= _FRAMES_LOOKED_AT:
                break
    brightness, dark, bright, sharp = np.mean(figures, axis=0).tolist()
    return {"brightness": brightness, "dark": dark, "bright": bright, "sharpness": sharp}
