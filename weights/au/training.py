"""Trains the dynamic and the static models from the feature sets."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from .dataset import FaceSet
from .descriptors import F32
from .labels import (
    F64,
    INTENSITIES,
    PRESENCES,
    activity,
    evened,
    from_blendshapes,
    subject_index,
    subject_means,
    subject_rest,
)
from .predictors import Predictor
from .regions import Region
from .regression import Normal, classify, feature_scale, principal_components, relative, solve_regions
from .sources import blendshape_names

LOG = logging.getLogger(__name__)
#: Share of a sequence in which a unit is taken to be at rest: offset of the dynamic intensities. Chosen on clips left
#: out (agreement with MediaPipe); higher for AU04, which answers to blinks as well.
CUTOFFS = {
    "AU01": 0.5, "AU02": 0.5, "AU04": 0.68, "AU05": 0.1, "AU06": 0.3, "AU07": 0.1, "AU09": 0.3, "AU10": 0.5,
    "AU12": 0.4, "AU14": 0.3, "AU15": 0.4, "AU17": 0.7, "AU20": 0.2, "AU23": 0.4, "AU25": 0.2, "AU26": 0.3,
    "AU45": 0.2,
}  # fmt: skip
#: Share of the truth in the label of rendered faces; the rest is MediaPipe's opinion of the same picture. It has no
#: live blendshape for AU06 and AU09 and is unsure about AU04.
TRUTH_SHARE = {"AU04": 1.0, "AU06": 1.0, "AU09": 1.0}
USUAL_TRUTH_SHARE = 0.5
MINIMUM_SUBJECT = 3  # faces of a subject that relative features need
#: Weight of a real face of a subject with `USUAL_SUBJECT` faces; it falls with the square root of their number.
REAL_WEIGHT, USUAL_SUBJECT = 2.0, 10
PRESENT = 1.0  # intensity from which a unit counts as present
MAXIMUM_GAIN = 2.5  # undoes the shrinkage of the regression up to this factor
SVM_ROWS = 24000
PLAIN = slice(0, 4, 2)  # variants of a real face, neither mirrored nor relit, that presences are learnt from
PEOPLE = "people"  # name of the sums of all crops


@dataclass(frozen=True)
class Scales:
    """Spread (18,) of MediaPipe's sums, of their `activity` and of true intensities within a subject."""

    sums: F64
    activity: F64
    truth: F64

    def intensities(self, sums: F64, subjects: NDArray[np.str_]) -> F64:
        """Blendshape sums (n, 18) as intensities 0 to 5 above the subject's rest."""
        above = sums - subject_rest(sums, subjects)
        return np.clip(above / self.sums * self.truth, 0.0, 5.0)


@dataclass(frozen=True)
class Material:
    """Feature sets, blendshape names and the spread of their labels."""

    real: tuple[FaceSet, ...]
    rendered: FaceSet
    transferred: FaceSet
    names: tuple[str, ...]
    scales: Scales

    @classmethod
    def of(
        cls, real: tuple[FaceSet, ...], rendered: FaceSet, transferred: FaceSet, names: tuple[str, ...]
    ) -> Material:
        """Measure the spreads on the first real set and on the rendered faces."""
        subject = real[0].subject

        def spread(values: F64, subjects: NDArray[np.str_]) -> F64:
            return np.asarray((values - subject_means(values, subjects)).std(axis=0))

        scales = Scales(
            spread(from_blendshapes(real[0].blendshapes, names), subject),
            spread(activity(real[0].blendshapes, names), subject),
            spread(rendered.truth, rendered.subject),
        )
        return cls(real, rendered, transferred, names, scales)


def load_material(work: Path, data: Path) -> Material:
    """Read the feature sets of a work folder."""
    real = tuple(FaceSet.load(work / f"{name}.npz") for name in ("real", "turned"))
    rendered, transferred = (FaceSet.load(work / f"{name}.npz") for name in ("rendered", "transferred"))
    return Material.of(real, rendered, transferred, blendshape_names(data))


def _many(subjects: NDArray[np.str_]) -> NDArray[np.bool_]:
    index, count = subject_index(subjects)
    return np.asarray(count[index] >= MINIMUM_SUBJECT)


def rendered_targets(material: Material, faces: FaceSet) -> F64:
    """Relative labels (n, 18) of rendered faces: truth, and MediaPipe's opinion where there is one."""
    scales = material.scales
    truth = faces.truth - subject_means(faces.truth, faces.subject)
    target = np.asarray(truth / scales.truth)
    if np.isnan(faces.blendshapes).all():
        return target
    sums = activity(np.nan_to_num(faces.blendshapes), material.names)
    opinion = sums - subject_means(sums, faces.subject)
    opinion = opinion / np.maximum(scales.activity, opinion.std(axis=0))
    unseen = np.isnan(faces.blendshapes).any(axis=1)
    opinion[unseen] = target[unseen]
    share = np.array([TRUTH_SHARE.get(name, USUAL_TRUTH_SHARE) for name in PRESENCES])
    return np.asarray(share * target + (1 - share) * opinion)


@dataclass(frozen=True)
class Dynamic:
    """Scaled relative features and sums of products, kept for held-out tests.

    Attributes
    ----------
    scale : (4702,) factor of each feature
    real : real faces, the clips among them
    clips : the same of each clip
    rendered, transferred : drawn faces of training people and of all people
    held_out : faces of `rendered` of other people
    """

    scale: F32
    real: Normal
    clips: dict[str, Normal]
    rendered: Normal
    held_out: Normal
    transferred: Normal

    def weights(self, without: str | None = None, *, held_out: bool = False) -> F64:
        """Weights (4702, 18) of the units, for scaled features; without one clip, with the held-out drawn faces."""
        real = self.real if without is None else self.real - self.clips[without]
        drawn = self.rendered + self.held_out if held_out else self.rendered

        def total(region: Region) -> Normal:
            return real + drawn * region.drawn + self.transferred * region.transferred

        return solve_regions(total)


def prepare_dynamic(material: Material) -> Dynamic:
    """Compute the sums of products of all sets; rendered faces of held-out people stay apart."""
    parts: dict[str, Normal] = {}
    scale: F32 | None = None
    for faces in material.real:
        features = relative(faces.features, faces.subject)[_many(faces.subject)]
        scale = feature_scale(features) if scale is None else scale
        features *= scale
        for name, part in _real_sums(material, faces, features).items():
            parts[name] = parts[name] + part if name in parts else part
    if scale is None:
        raise ValueError("no real faces to train on")
    total = parts[PEOPLE]
    clips = {name: part for name, part in parts.items() if name != PEOPLE}
    for part in clips.values():
        total = total + part
    drawn: dict[bool, Normal] = {}
    features = relative(material.rendered.features, material.rendered.subject) * scale
    targets = rendered_targets(material, material.rendered)
    training = material.rendered.part == "train"
    for side in (True, False):
        drawn[side] = Normal.of(features[training == side], targets[training == side])
    # the transferred faces of held-out people would show their looks
    kept = material.transferred.part == "train"
    features = relative(material.transferred.features, material.transferred.subject)[kept] * scale
    transferred = Normal.of(features, rendered_targets(material, material.transferred)[kept])
    return Dynamic(scale, total, clips, drawn[True], drawn[False], transferred)


def _real_sums(material: Material, faces: FaceSet, features: F32) -> dict[str, Normal]:
    """Sum up each clip and all people, from scaled relative features of subjects with enough faces."""
    keep = _many(faces.subject)
    values = activity(faces.blendshapes, material.names)
    labels = evened((values - subject_means(values, faces.subject)) / material.scales.activity, faces.subject)
    index, count = subject_index(faces.subject)
    weights = REAL_WEIGHT * np.sqrt(USUAL_SUBJECT / count[index])
    names = np.where(np.char.startswith(faces.subject, "clip"), faces.subject, PEOPLE)[keep]
    return {
        str(name): Normal.of(
            features[names == name], labels[keep][names == name], weights[keep][names == name]
        )
        for name in np.unique(names)
    }


def gains(weights: F64, features: F32, truth: F64, spread: F64) -> F64:
    """Factor (18,) that gives predictions of faces (n, d) the height of their true intensities."""
    predicted = features @ weights
    true = truth - truth.mean(axis=0)
    slope = (predicted * true).sum(axis=0) / (true**2).sum(axis=0)  # 1 / spread would be perfect
    return np.asarray(np.minimum(1 / np.maximum(slope, 1e-9), MAXIMUM_GAIN * spread))


def train_dynamic(material: Material, sums: Dynamic) -> list[Predictor]:
    """Train dynamic intensities and presences."""
    # what the gain is measured on must not have been seen
    unseen = sums.weights()
    out = material.rendered.part != "train"
    features = (relative(material.rendered.features, material.rendered.subject) * sums.scale)[out][:, 0]
    truth = material.rendered.truth - subject_means(material.rendered.truth, material.rendered.subject)
    gain = gains(unseen, features, truth[out], material.scales.truth)
    weights = sums.weights(held_out=True) * gain * sums.scale[:, None]
    predictors = [
        Predictor(name, True, True, weights[:, PRESENCES.index(name)], 0.0, CUTOFFS[name])
        for name in INTENSITIES
    ]
    relatives = [relative(faces.features, faces.subject)[:, PLAIN] for faces in material.real[:1]]
    relatives.append(relative(material.rendered.features, material.rendered.subject)[:, :1])
    gram = (sums.real + sums.rendered + sums.held_out).gram
    return predictors + _presences(material, relatives, gram, sums.scale, None)


def train_static(material: Material, scale: F32) -> tuple[list[Predictor], F64]:
    """Train static intensities and presences; returns also the means that all of them subtract."""
    sets = [(faces, faces.features) for faces in (*material.real, material.rendered, material.transferred)]
    means = np.mean([features.reshape(-1, features.shape[-1]).mean(axis=0) for _, features in sets], axis=0)
    total: Normal | None = None
    levels = []
    for faces, features in sets:
        labels = intensities(material, faces)
        levels.append(labels.mean(axis=0))
        part = Normal.of((features - means) * scale, labels - labels.mean(axis=0))
        total = part if total is None else total + part
    assert total is not None
    bias = np.mean(levels, axis=0)
    weights = solve_regions(lambda _: total) * scale[:, None]
    predictors = [
        Predictor(name, True, False, weights[:, PRESENCES.index(name)], float(bias[PRESENCES.index(name)]))
        for name in INTENSITIES
    ]
    views = [material.real[0].features[:, PLAIN], material.rendered.features[:, :1]]
    return predictors + _presences(
        material, views, total.gram, scale, means.astype(np.float64)
    ), means.astype(np.float64)


def intensities(material: Material, faces: FaceSet) -> F64:
    """Labels (n, 18) from 0 to 5 of a set: its truth, or MediaPipe's above the subject's rest."""
    if not np.isnan(faces.truth).all():
        return faces.truth
    return material.scales.intensities(from_blendshapes(faces.blendshapes, material.names), faces.subject)


def _presences(
    material: Material, views: list[F32], gram: NDArray[np.floating], scale: F32, means: F64 | None
) -> list[Predictor]:
    """Presences from the first real set and the rendered faces; relative features where `means` is None."""
    basis = principal_components(gram)
    coded, labels = [], []
    for faces, features in zip((material.real[0], material.rendered), views, strict=True):
        keep = _many(faces.subject)
        x = features[keep] if means is None else features[keep] - means.astype(np.float32)
        coded.append((x * scale).reshape(-1, x.shape[-1]) @ basis)
        labels.append(np.repeat(intensities(material, faces)[keep], features.shape[1], axis=0))
    rows, target = np.concatenate(coded), np.concatenate(labels)
    pick = np.random.default_rng(0).permutation(len(rows))[:SVM_ROWS]
    out = []
    for column, name in enumerate(PRESENCES):
        weights, bias = classify(rows[pick], target[pick, column] >= PRESENT)
        raw = (basis @ weights) * scale
        out.append(Predictor(name, False, means is None, raw.astype(np.float64), bias))
        LOG.info("%s %s: present in %.0f %%", name, "dynamic" if means is None else "static",
                 100 * np.mean(target[pick, column] >= PRESENT))  # fmt: skip
    return out
