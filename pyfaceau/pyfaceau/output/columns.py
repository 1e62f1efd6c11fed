"""Names, order and groups of the columns of a result: OpenFace 2.2's CSV, or a choice of it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from types import MappingProxyType
from typing import Literal, TypeAlias

N_LANDMARKS = 68
N_EYE_LANDMARKS = 56  # 28 an eye
N_MODES = 34  # of OpenFace's face model; other models may have more or fewer

Group: TypeAlias = Literal["gaze", "eye_landmarks", "pose", "landmarks", "landmarks_3d", "pdm", "aus"]
Include: TypeAlias = Literal["openface"] | Iterable[str]
Gaps: TypeAlias = Literal["empty", "openface"]
"""What rows without a face hold: nothing (NaN), or what OpenFace writes there (zeros and stale fits)."""
# Groups of columns that can be chosen, in the order of OpenFace 2.2's CSV.
GROUPS = ("gaze", "eye_landmarks", "pose", "landmarks", "landmarks_3d", "pdm", "aus")
DEFAULT_GROUPS = ("pose", "aus")
GAZE_GROUPS = ("gaze", "eye_landmarks")  # those that need eye models
# Which groups each option of OpenFace's programs asks for.
OPENFACE_FLAGS: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "-gaze": ("gaze", "eye_landmarks"),
        "-pose": ("pose",),
        "-2Dfp": ("landmarks",),
        "-3Dfp": ("landmarks_3d",),
        "-pdmparams": ("pdm",),
        "-aus": ("aus",),
    }
)

HEAD = ("frame", "face_id", "timestamp", "confidence", "success")
IMAGE_HEAD = ("face", "confidence")  # of OpenFace's single-image program


def _series(names: Iterable[str], count: int) -> tuple[str, ...]:
    return tuple(f"{name}_{index}" for name in names for index in range(count))


_FIXED: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "gaze": (
            *(f"gaze_{eye}_{axis}" for eye in "01" for axis in "xyz"),
            "gaze_angle_x",
            "gaze_angle_y",
        ),
        "eye_landmarks": _series((f"eye_lmk_{axis}" for axis in "xyXYZ"), N_EYE_LANDMARKS),
        "pose": tuple(f"pose_{kind}{axis}" for kind in "TR" for axis in "xyz"),
        "landmarks": _series("xy", N_LANDMARKS),
        "landmarks_3d": _series("XYZ", N_LANDMARKS),
    }
)
_RIGID = ("p_scale", "p_rx", "p_ry", "p_rz", "p_tx", "p_ty")


def check_groups(include: Iterable[str]) -> tuple[str, ...]:
    """Return the chosen groups in the order of the columns.

    Parameters
    ----------
    include : iterable of str, or "openface"
        Some of `GROUPS`; "openface" is all of them.

    Returns
    -------
    tuple of str

    Raises
    ------
    ValueError
        Unknown group, or another bare string instead of a collection of groups.
    """
    if include == "openface":
        return GROUPS
    if isinstance(include, str):
        raise ValueError(
            f"include is 'openface' or a collection of groups such as ({include!r},), not a string"
        )
    chosen = set(include)
    unknown = chosen - set(GROUPS)
    if unknown:
        raise ValueError(
            f"groups of columns are {', '.join(GROUPS)}; got {', '.join(sorted(map(str, unknown)))}"
        )
    return tuple(group for group in GROUPS if group in chosen)


def group_columns(
    group: str,
    intensity_names: Sequence[str] = (),
    presence_names: Sequence[str] = (),
    n_modes: int = N_MODES,
) -> tuple[str, ...]:
    """Name the columns of one group.

    Parameters
    ----------
    group : str
        One of `GROUPS`.
    intensity_names, presence_names : sequence of str
        "AU01_r" and so on, "AU01_c" and so on, sorted; for "aus".
    n_modes : int
        Shape parameters of the face model; for "pdm".

    Returns
    -------
    tuple of str
    """
    if group == "aus":
        return (*intensity_names, *presence_names)
    if group == "pdm":
        return (*_RIGID, *_series("p", n_modes))
    return _FIXED[group]


def column_names(
    include: Iterable[str],
    intensity_names: Sequence[str],
    presence_names: Sequence[str],
    n_modes: int = N_MODES,
) -> list[str]:
    """Name the columns of a result.

    Parameters
    ----------
    include : iterable of str, or "openface"
        Some of `GROUPS`.
    intensity_names, presence_names : sequence of str
        "AU01_r" and so on, "AU01_c" and so on, sorted.
    n_modes : int
        Shape parameters of the face model.

    Returns
    -------
    list of str
    """
    names = list(HEAD)
    for group in check_groups(include):
        names += group_columns(group, intensity_names, presence_names, n_modes)
    return names
