"""Bytes of the smallest valid model files, written here by hand and not by the code under test."""

from __future__ import annotations

import struct

import numpy as np

N_LANDMARKS = 3
CENTRES = np.array([[0.0, 0.0, 0.0], [5.0, -30.0, 0.0]])
VISIBILITY = np.array([[1, 1, 1], [1, 1, 0]])
_CODES = {"uint8": 0, "int32": 4, "float32": 5, "float64": 6, "float16": 7}


def ints(*values: int) -> bytes:
    return struct.pack(f"<{len(values)}i", *values)


def doubles(*values: float) -> bytes:
    return struct.pack(f"<{len(values)}d", *values)


def matrix(values: np.ndarray, dtype: str) -> bytes:
    array = np.atleast_2d(values).astype(dtype)
    return ints(*array.shape, _CODES[dtype]) + array.tobytes()


def head(scale: float = 0.25) -> bytes:
    """Scale, number of views, centres in degrees, visibilities."""
    parts = [doubles(scale), ints(len(CENTRES))]
    parts += [matrix(centre.reshape(3, 1), "float64") for centre in CENTRES]
    parts += [matrix(row.reshape(-1, 1), "int32") for row in VISIBILITY]
    return b"".join(parts)


def ccnf() -> bytes:
    """Two neurons of 2 x 3 px, one response window of 2 px with two sigma components."""
    rng = np.random.default_rng(1)
    parts = [head(), ints(1), ints(2, 2), *(matrix(rng.normal(size=(4, 4)), "float32") for _ in range(2))]
    for visible in VISIBILITY.ravel():
        parts.append(ints(5, 3, 2))  # tag, width, height
        if not visible:
            parts.append(ints(0, 0))
            continue
        parts.append(ints(2))
        for neuron in range(2):
            parts += [ints(2, neuron), doubles(1.5, 0.25, 3.0), matrix(rng.normal(size=(2, 3)), "float32")]
        parts += [doubles(0.5, 0.75), doubles(0.9)]  # betas, confidence
    return b"".join(parts)


def cen(weight_dtype: str = "float32") -> bytes:
    """Nets 5-2-1 on patches of 2 x 2 px; landmark 1 of view 0 is the mirror image of landmark 0."""
    rng = np.random.default_rng(2)
    parts = [head(), matrix([[1], [0], [2]], "int32"), matrix([[0], [1]], "int32")]
    for view, landmark in np.ndindex(VISIBILITY.shape):
        empty = not VISIBILITY[view, landmark] or (view, landmark) == (0, 1)
        parts.append(ints(6, 2, 2, 0 if empty else 2))
        if not empty:
            parts += [ints(2), matrix(rng.normal(size=(1, 2)), "float32")]
            parts += [matrix(rng.normal(size=(2, 5)), weight_dtype)]
            parts += [ints(0), matrix(rng.normal(size=(1, 1)), "float32")]
            parts += [matrix(rng.normal(size=(1, 2)), weight_dtype)]
        parts.append(doubles(0.125 * (landmark + 1)))
    return b"".join(parts)


def validator() -> bytes:
    """One view of 4 x 4 px: conv 2x2, ReLU, pool, FC to 3 and a ReLU; two triangles."""
    rng = np.random.default_rng(3)
    triangle = np.triu(np.ones((4, 4), int)) - 1  # triangle 0 on and above the diagonal, outside below
    n_pixels = int((triangle >= 0).sum())
    parts = [ints(3, 1), matrix([[0.0], [45.0], [0.0]], "float64")]
    parts += [
        matrix(rng.normal(size=n_pixels), "float64"),
        matrix(np.full(n_pixels, 2.0), "float64"),
        ints(5),
    ]
    parts += [ints(0, 1, 2), np.array([0.5, -0.5], "<f4").tobytes()]
    parts += [matrix(rng.normal(size=(2, 2)), "float32") for _ in range(2)]
    parts += [ints(3), ints(1)]
    parts += [
        ints(2),
        matrix(np.ones((3, 1)), "float32"),
        matrix(rng.normal(size=(8, 3)), "float32"),
        ints(3),
    ]
    parts += [ints(n_pixels), doubles(-1.5, 0.25), matrix(np.arange(8.0).reshape(8, 1), "float64")]
    parts += [
        matrix([[0, 1, 2], [1, 2, 3]], "int32"),
        matrix(triangle, "int32"),
        matrix(triangle >= 0, "int32"),
    ]
    parts += [matrix(rng.normal(size=(2, 3)), "float64") for _ in range(2)]
    return b"".join(parts)


def svr() -> str:
    """One view, one landmark, two templates stored as 2 x 3 (width x height)."""
    template = "2 3 5\n1 2 3\n4 5 6\n"
    return (
        "# scale\n0.5\n# views\n1\n3 1 6\n0\n90\n0\n# visibility\n1 1 4\n1\n# experts\n"
        f"3 2 3 2\n2 0 1.0 -2.5 0.5\n{template}2 1 0.5 -1.5 0.25\n{template}"
    )


def pdm() -> str:
    """Two points, one mode."""
    return (
        "# mean\n6\n1\n6\n1 2 3 4 5 6.5\n# modes\n6\n1\n6\n1\n0\n0\n0\n0\n0.5\n# variances\n1\n1\n6\n20.25\n"
    )
