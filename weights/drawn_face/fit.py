"""Fits a linear map from intensities of action units to parameters of the open shape model.

``python -m weights.drawn_face.fit --ict FILE`` writes the file that pyfaceau packages. ICT-FaceKit's expressions say
how the 68 landmarks move for each unit; the shape model expresses that movement as well as it can.
"""

from __future__ import annotations

import argparse
import hashlib
import json
from pathlib import Path

import numpy as np

from pyclnf.io import atomic_write, read_pdm
from pyclnf.models import OPEN_FOLDER
from weights.render.ict import AU_SHAPES, F64, load_ict

PACKAGED = Path(__file__).resolve().parents[2] / "pyfaceau/pyfaceau/models_open/au_shapes_open.npz"
MANIFEST = Path(__file__).parents[1] / "manifests/drawn_face.json"
PDM = Path(OPEN_FOLDER) / "pdm_68_open.txt"
FULL = 5.0
#: ICT-FaceKit has no shape for the parting of the lips alone: both lips away from each other.
PARTED = {"AU25": ("mouthLowerDown_L", "mouthLowerDown_R", "mouthUpperUp_L", "mouthUpperUp_R")}
PARTED_WEIGHT = 0.5
RIDGE = 1e-6  # of the mean variance of the modes


def movements(ict: Path) -> tuple[list[str], F64, F64]:
    """Return units, how the landmarks move at intensity 5 (units, 68, 3), and the neutral landmarks (68, 3), in mm."""
    model = load_ict(ict, identities=1)
    units = sorted({**AU_SHAPES, **PARTED})
    moved = []
    for unit in units:
        shapes = PARTED.get(unit) or AU_SHAPES[unit]
        weight = PARTED_WEIGHT if unit in PARTED else 1.0
        offsets = sum(model.expression[model.names.index(name)] for name in shapes)
        moved.append(10.0 * weight * np.asarray(offsets)[model.landmark_vertices])
    return units, np.stack(moved), 10.0 * model.neutral[model.landmark_vertices]


def fit(ict: Path) -> tuple[list[str], F64, F64]:
    """Return units and "rest", parameters of intensity 1 (units, modes), and the share of each movement left over."""
    units, moved, neutral = movements(ict)
    pdm = read_pdm(PDM)
    mean = np.asarray(pdm.mean, np.float64).reshape(3, 68).T
    modes = np.asarray(pdm.basis, np.float64)
    spread = np.sqrt(np.asarray(pdm.eigenvalues, np.float64).reshape(-1))
    # Both heads in one size and place: rotation, scale and shift by least squares.
    a, b = neutral - neutral.mean(axis=0), mean - mean.mean(axis=0)
    u, singular, vt = np.linalg.svd(a.T @ b)
    flip = np.diag([1.0, 1.0, np.sign(np.linalg.det(u @ vt))])
    turn = u @ flip @ vt
    scale = (singular * np.diag(flip)).sum() / (a * a).sum()
    flat = (scale * moved @ turn).transpose(0, 2, 1).reshape(len(units), -1).T  # (204, units)
    basis = np.concatenate(
        [modes * spread, _rigid(mean)], axis=1
    )  # the modes know no rigid motion and no size
    cost = np.diag(np.repeat([RIDGE * (spread**2).mean(), 0.0], [len(spread), basis.shape[1] - len(spread)]))
    solution = np.linalg.solve(basis.T @ basis + cost, basis.T @ flat)
    parameters = spread[:, None] * solution[: len(spread)]
    still = flat - _rigid(mean) @ solution[len(spread) :]
    left = np.linalg.norm(still - modes @ parameters, axis=0) / np.linalg.norm(still, axis=0)
    return (
        [*units, "rest"],
        np.concatenate([parameters / FULL, _shut(mean, modes, parameters, units)], axis=1).T,
        left,
    )


def _rigid(mean: F64) -> F64:
    """Return displacements (204, 7) of shifts, turns and size."""
    x, y, z = (mean - mean.mean(axis=0)).T
    one, no = np.ones(68), np.zeros(68)
    moves = [(one, no, no), (no, one, no), (no, no, one), (no, z, -y), (-z, no, x), (y, -x, no), (x, y, z)]
    directions = np.stack([np.concatenate(move) for move in moves], axis=1)
    return np.asarray(directions / np.linalg.norm(directions, axis=0))


def _shut(mean: F64, modes: F64, parameters: F64, units: list[str]) -> F64:
    """Return parameters (modes, 1) of a mouth that is shut: next to none where the mean's is."""
    parted = parameters[:, [units.index("AU25")]]
    moved = (modes @ parted).reshape(3, 68).T
    gap, opened = ((points[[65, 66, 67], 1] - points[[63, 62, 61], 1]).mean() for points in (mean, moved))
    return np.asarray(-gap / opened * parted)


def _hash(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--ict", type=Path, default=Path("../shared/data/ict_facekit/ict_facekit_light.npz"))
    parser.add_argument("--out", type=Path, default=PACKAGED)
    arguments = parser.parse_args()
    units, parameters, left = fit(arguments.ict)
    with atomic_write(arguments.out, "wb") as stream:
        np.savez_compressed(stream, units=np.array(units), parameters=parameters.astype(np.float32))
    record = {
        "data": {"ict_facekit/ict_facekit_light.npz": _hash(arguments.ict)},
        "models": {PACKAGED.name: _hash(arguments.out)},
    }
    with atomic_write(MANIFEST, "w") as stream:
        stream.write(json.dumps(record, indent=1) + "\n")
    for unit, share in zip(units, left, strict=False):
        print(f"{unit} {share:.2f}")


if __name__ == "__main__":
    main()
