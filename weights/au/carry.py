"""Carries the action-unit models over to new landmark models, makes them specific and brings calm faces to rest.

``python -m weights.train au-carry --before FOLDER --landmarks-before FOLDER``. Three steps, none of which
needs the drawn faces:

1. The HOG of an aligned face hardly changes with the landmark models; the shape parameters do. A linear map
from the new
   parameters to the old ones, learnt on faces fitted with both, is folded into the weights.
2. A smile raises what the models see as upper lip, brows, nose and lids. Its share, measured on calm and
smiling people and held
   against MediaPipe's opinions of many more faces, is taken off: ``AU10 - share * AU12`` is a linear model again.
3. Static intensities get the offset that brings calm faces to `CALM_LEVEL`.
"""

from __future__ import annotations

import argparse
import dataclasses
import itertools
import logging
import shutil
from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from pyclnf import CLNF
from pyclnf.io import read_pdm
from pyfaceau.prediction.files import AUModel, read_au_models
from pymtcnn import MTCNN

from .dataset import MAXIMUM_ERROR, around, distance
from .descriptors import Describer
from .labels import F64, from_blendshapes, is_calm
from .predictors import Predictor, write_models
from .regression import HOG_SIZE
from .sources import blendshape_names, crops, london

LOG = logging.getLogger(__name__)
REPOSITORY = Path(__file__).parents[2]
CROP_STEP = 2  # every so many-th crop of training people
RIDGE = 1.0
#: Share of AU12 that is taken off, static and dynamic. Chosen on the 36 London people for training and 453
# crops: as much as leaves
#: the agreement with MediaPipe within 0.02 (AU10 0.77 -> 0.76 static, 0.79 -> 0.79 dynamic; AU06, AU04, AU09
# within 0.02).
SMILE_SHARE = {
    False: {"AU10": 0.34, "AU04": 0.1, "AU09": 0.1, "AU06": 0.1, "AU07": 0.05},
    True: {"AU10": 0.3, "AU04": 0.1, "AU09": 0.2, "AU06": 0.2, "AU07": 0.1},
}
#: Mean of each static intensity over calm faces; asked for is less than 0.3 on unseen people.
CALM_LEVEL, LONDON_WEIGHT = 0.12, 4.0
#: Share of a sequence that counts as rest, where it changes: AU05 and AU07 move around a resting level, and a
# low share took
#: the lowest moments for rest.
CUTOFFS = {"AU01": 0.6, "AU04": 0.8, "AU05": 0.45, "AU07": 0.4, "AU25": 0.3}
#: Factor on dynamic intensities that stood too high at rest: lower levels cost no agreement, higher shares of rest do.
LEVELS = {"AU05": 0.8, "AU07": 0.55}


@dataclasses.dataclass(frozen=True)
class Pairs:
    """Faces fitted with both landmark models: features (n, d) before and after, what is known of each face."""

    before: F64
    after: F64
    subject: NDArray[np.str_]
    smiling: NDArray[np.bool_]
    blendshapes: F64

    @property
    def london(self) -> NDArray[np.bool_]:
        """Which faces are of the London set."""
        return np.char.startswith(self.subject, "london")


def collect(
    data: Path,
    mesh: Path,
    before: tuple[Path, Path],
    after: tuple[Path, Path],
    triangles: Path,
    drawn: Path | None,
) -> Pairs:
    """Fit and describe faces with both packs; a pack is its main landmark file and its shape model.

    Pictures of the folder ``drawn`` (expressions stronger than the crops') count for the map alone.
    """
    describers = [Describer(pdm, triangles) for _, pdm in (before, after)]
    fitters = [CLNF(str(main)) for main, _ in (before, after)]
    rows = []
    for number, frame in enumerate(itertools.chain(london(data, mesh), crops(data))):
        if not frame.subject.startswith("london") and (number % CROP_STEP or frame.part != "train"):
            continue
        points = [fitter.fit(frame.image, around(frame.points)).landmarks for fitter in fitters]
        if max(distance(p, frame.points) for p in points) > MAXIMUM_ERROR:
            continue
        features = [describe(frame.image, p) for describe, p in zip(describers, points, strict=True)]
        rows.append(
            (
                *features,
                frame.subject,
                frame.subject.startswith("london") and frame.index == 1,
                frame.blendshapes,
            )
        )
    detector = MTCNN()
    for path in [] if drawn is None else sorted(drawn.glob("*.jpg")):
        image = np.asarray(cv2.imread(str(path), cv2.IMREAD_COLOR), np.uint8)
        found = detector.detect(image)
        if not found:
            continue
        box = max(found, key=lambda face: face.score).box
        fits = [fitter.fit(image, box) for fitter in fitters]
        if all(fit.success for fit in fits):
            features = [
                describe(image, fit.landmarks) for describe, fit in zip(describers, fits, strict=True)
            ]
            rows.append((*features, "drawn", False, np.full(52, np.nan)))
    LOG.info("%d faces fitted with both", len(rows))
    return Pairs(*(np.array(column) for column in zip(*rows, strict=True)))


def parameter_map(before: F64, after: F64) -> F64:
    """Map (m + 1, m) from new shape parameters (n, m) and a constant to old ones: ridge regression."""
    known = np.column_stack([after, np.ones(len(after))])
    gram = known.T @ known + RIDGE * np.eye(known.shape[1])
    return np.asarray(np.linalg.solve(gram, known.T @ before))


def carried(model: AUModel, mapping: F64, basis: F64) -> AUModel:
    """Fit a model to features of the new shape model; ``basis`` (204, m) is the old one's.

    Weights on the deformation and on the parameters become weights on the new parameters; what the deformation
    adds is in them.
    """
    count = basis.shape[1]
    start = len(model.weights) - count
    on_old = basis.T @ model.weights[HOG_SIZE:start] + model.weights[start:]
    weights, means = model.weights.copy(), model.means.copy()
    weights[HOG_SIZE:start], means[HOG_SIZE:] = 0.0, 0.0
    weights[start:] = mapping[:-1] @ on_old
    bias = model.bias
    if not model.dynamic:  # a dynamic model's constants go with the median
        bias += float(mapping[-1] @ on_old - model.means[HOG_SIZE:] @ model.weights[HOG_SIZE:])
    return dataclasses.replace(model, weights=weights, means=means, bias=bias)


def without_smile(models: dict[str, AUModel], shares: dict[str, float]) -> dict[str, AUModel]:
    """Intensity models less their share of AU12's."""
    smile = models["AU12"]
    out = dict(models)
    for name, share in shares.items():
        model = models[name]
        if not np.array_equal(model.means, smile.means):
            raise ValueError(f"{name} and AU12 subtract different means")
        weights = model.weights - share * smile.weights
        out[name] = dataclasses.replace(model, weights=weights, bias=model.bias - share * smile.bias)
    return out


def rest_offset(values: F64, weights: F64, level: float = CALM_LEVEL) -> float:
    """Find what to take off calm faces' scores so that, from 0 up, they average ``level``; 0 where they do."""
    if np.average(np.clip(values, 0, 5), weights=weights) <= level:
        return 0.0
    low, high = 0.0, 5.0
    for _ in range(40):
        middle = (low + high) / 2
        above = np.average(np.clip(values - middle, 0, 5), weights=weights) > level
        low, high = (middle, high) if above else (low, middle)
    return high


def carry(before: Path, pairs: Pairs, names: tuple[str, ...], basis: F64) -> list[Predictor]:
    """All predictors of a folder of models, carried over, specific and at rest."""
    count = basis.shape[1]
    mapping = parameter_map(pairs.before[:, -count:], pairs.after[:, -count:])
    sums = from_blendshapes(np.nan_to_num(pairs.blendshapes, nan=1.0), names)  # drawn faces are not calm
    calm = is_calm(sums)
    calm = np.where(pairs.london, ~pairs.smiling, calm)
    weight = np.where(pairs.london[calm], LONDON_WEIGHT, 1.0)
    out = []
    for view, dynamic in (("dynamic", True), ("static", False)):
        models = [carried(m, mapping, basis) for m in read_au_models(before / f"main_{view}_svms.txt").models]
        specific = without_smile({m.name: m for m in models if m.intensity}, SMILE_SHARE[dynamic])
        for model in models:
            if not model.intensity:
                out.append(Predictor(model.name, False, dynamic, model.weights, model.bias))
                continue
            model = specific[model.name]
            bias, cutoff = model.bias, -1.0
            if dynamic:
                level = LEVELS.get(model.name, 1.0)
                model = dataclasses.replace(model, weights=level * model.weights, bias=level * bias)
                bias = model.bias
                cutoff = CUTOFFS.get(model.name, -1.0 if model.cutoff is None else model.cutoff)
            else:
                values = (pairs.after[calm] - model.means) @ model.weights + model.bias
                offset = rest_offset(values, weight)
                bias -= offset
                LOG.info("%s: rest offset %.2f", model.name, offset)
            out.append(Predictor(model.name, True, dynamic, model.weights, bias, cutoff))
    return out


def main(arguments: Sequence[str] | None = None) -> None:
    """Carry the models over and write them."""
    parser = argparse.ArgumentParser(prog="python -m weights.train au-carry", description=__doc__)
    models = REPOSITORY / "pyfaceau/pyfaceau/models_open"
    parser.add_argument("--data", type=Path, default=REPOSITORY / "../shared/data")
    parser.add_argument(
        "--london", type=Path, required=True, help="MediaPipe's points of the London pictures"
    )
    parser.add_argument(
        "--before", type=Path, required=True, help="action-unit models, with the shape model they are for"
    )
    parser.add_argument(
        "--landmarks-before", type=Path, required=True, help="landmark models that they were trained with"
    )
    parser.add_argument("--landmarks", type=Path, default=REPOSITORY / "pyclnf/pyclnf/models_open")
    parser.add_argument("--drawn", type=Path, help="folder of pictures that `au --stages draw` drew")
    parser.add_argument(
        "--pdm", default="pdm_68_open.txt", help="path of the shape model in the descriptions"
    )
    parser.add_argument("--out", type=Path, default=models)
    options = parser.parse_args(arguments)
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    pdm, triangles = "pdm_68_open.txt", "tris_68_full_open.txt"
    pairs = collect(
        options.data, options.london,
        (options.landmarks_before / "main_ceclm_general.txt", options.landmarks_before / pdm),
        (options.landmarks / "main_ceclm_general.txt", options.landmarks / pdm), options.before / triangles,
        options.drawn,
    )  # fmt: skip
    basis = read_pdm(options.landmarks_before / pdm).basis.astype(np.float64)
    predictors = carry(options.before, pairs, blendshape_names(options.data), basis)
    before = read_au_models(options.before / "main_static_svms.txt").models[0].means
    means = {True: np.zeros(len(before)), False: before.copy()}
    means[False][HOG_SIZE:] = 0.0
    if options.pdm == pdm:
        shutil.copyfile(options.landmarks / pdm, options.out / pdm)
    write_models(options.out, predictors, means, options.pdm, triangles)
