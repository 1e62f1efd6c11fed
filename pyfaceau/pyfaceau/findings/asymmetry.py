"""How unlike the halves of a face are: where landmarks stand, and how far they move."""

from __future__ import annotations

import warnings

import numpy as np
import numpy.typing as npt
import pandas as pd

from .layout import F64, columns_of, has_face, landmarks, numbers, tracks

# Landmarks of the person's right side (left in the picture) and, in the same order, of the left: iBUG's 68 points.
_RIGHT = (*range(8), *range(17, 22), 31, 32, 36, 37, 38, 39, 40, 41, 48, 49, 50, 59, 58, 60, 61, 67)
_LEFT = (
    *range(16, 8, -1),
    *range(26, 21, -1),
    35,
    34,
    45,
    44,
    43,
    42,
    47,
    46,
    54,
    53,
    52,
    55,
    56,
    64,
    63,
    65,
)
#: Which landmark each becomes in a mirror.
MIRRORED = np.arange(68)
MIRRORED[[*_RIGHT, *_LEFT]] = [*_LEFT, *_RIGHT]
#: What expressions hardly move: corners of the eyes and bridge of the nose.
STILL = np.array([27, 28, 29, 30, 36, 39, 42, 45])
REGIONS: dict[str, tuple[int, ...]] = {  # landmarks of the right side; the left ones are their mirror images
    "brows": (17, 18, 19, 20, 21),
    "eyes": (36, 37, 38, 39, 40, 41),
    "mouth": (48, 49, 50, 58, 59, 60, 61, 67),
}
_LEAST_MOVEMENT = 0.01  # of the distance of the outer corners of the eyes: below it there is noise


def measure_asymmetry(
    table: pd.DataFrame, *, rest: tuple[int, int] | None = None, max_yaw: float | None = 10.0
) -> pd.DataFrame:
    """Compare the halves of the face; see `FaceTable.asymmetry`."""
    points = landmarks(table)
    turned = np.zeros(len(table), np.bool_)
    if max_yaw is not None:
        columns_of(table, "pose")
        turned = ~(np.abs(np.degrees(numbers(table, "pose_Ry"))) <= max_yaw)
    points[turned | ~has_face(table)] = np.nan
    placed, reflected = superimposed(points)
    apart = np.sqrt(((placed - reflected) ** 2).sum(axis=2)) / 2  # of the middle between the two
    out = {"face": apart.mean(axis=1)}
    for region, right in REGIONS.items():
        out[region] = apart[:, list(right)].mean(axis=1)
    for region in REGIONS:
        out[f"{region}_movement"] = np.full(len(table), np.nan)
    for track in tracks(table):
        at_rest = _rest_of(table, placed, track.rows, rest)
        moved = np.sqrt(((placed[track.rows] - at_rest) ** 2).sum(axis=2))
        for region, right in REGIONS.items():
            out[f"{region}_movement"][track.rows] = movement_index(moved, right)
    result: pd.DataFrame = pd.DataFrame(out, index=table.index)
    return result


def superimposed(points: F64) -> tuple[F64, F64]:
    """Put faces upright, and their mirror images onto them.

    Parameters
    ----------
    points : ndarray, shape (n, 68, 2)
        px.

    Returns
    -------
    placed, reflected : ndarray, shape (n, 68, 2)
        The face and its relabelled mirror image in a common frame: the origin in the middle of corners of the eyes and
        bridge of the nose, the midline upright, lengths as shares of the distance of the outer corners of the eyes.

    Notes
    -----
    Sums and products are arranged so that a face equal to its mirror image gives exactly that image.
    """
    scale = np.sqrt(((points[:, 36] - points[:, 45]) ** 2).sum(axis=1))[:, None]
    with np.errstate(invalid="ignore", divide="ignore"):
        x, y = ((points - points[:, STILL].mean(axis=1)[:, None]).transpose(2, 0, 1) / scale).astype(
            np.float64
        )
        mx, my = x[:, MIRRORED], y[:, MIRRORED]
        # As complex numbers, w is the face and m its relabelled points; u conj(m) is nearest to w on the still points
        # where u is the direction of the sum of w m.
        ux = (x * mx - y * my)[:, STILL].sum(axis=1)
        uy = (x * my + y * mx)[:, STILL].sum(axis=1)
        length = np.hypot(ux, uy)
        ux, uy = ux / length, uy / length
        # u is -exp(2 i roll).
        cosine = np.sqrt(np.maximum(1 - ux, 0) / 2)
        sine = np.where(cosine > 0, -uy / (2 * cosine), 1.0)
    cosine, sine, ux, uy = cosine[:, None], sine[:, None], ux[:, None], uy[:, None]
    rx, ry = ux * mx + uy * my, uy * mx - ux * my
    return (
        np.stack([x * cosine + y * sine, y * cosine - x * sine], axis=2),
        np.stack([rx * cosine + ry * sine, ry * cosine - rx * sine], axis=2),
    )


def movement_index(moved: F64, right: tuple[int, ...]) -> F64:
    """Compare how far the sides of a region move: (left - right) / (left + right).

    Parameters
    ----------
    moved : ndarray, shape (n, 68)
        Distance of each landmark from rest, as share of the distance of the outer corners of the eyes.
    right : tuple of int
        Landmarks of the right side.

    Returns
    -------
    ndarray, shape (n,)
        -1 to 1; NaN where neither side moves by more than a hundredth.
    """
    of_right = moved[:, list(right)].mean(axis=1)
    of_left = moved[:, MIRRORED[list(right)]].mean(axis=1)
    moves = np.maximum(of_left, of_right) > _LEAST_MOVEMENT
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.where(moves, (of_left - of_right) / (of_left + of_right), np.nan)


def _rest_of(
    table: pd.DataFrame, placed: F64, rows: npt.NDArray[np.intp], rest: tuple[int, int] | None
) -> F64:
    if rest is not None:
        if "frame" not in table:
            raise ValueError("rest names frames, and the table has none")
        frames = numbers(table, "frame")[rows]
        rows = rows[(frames >= rest[0]) & (frames <= rest[1])]
    chosen = placed[rows]
    if not np.isfinite(chosen).any():
        if rest is not None:
            raise ValueError(f"no frame of {rest[0]} to {rest[1]} shows a face that is turned little enough")
        return np.full(placed.shape[1:], np.nan)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # of landmarks that are never there
        return np.asarray(np.nanmedian(chosen, axis=0))
