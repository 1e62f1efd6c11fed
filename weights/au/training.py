"""Trains the dynamic and the static models from the feature sets."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from .dataset import FaceSet
from .descriptors import F32
from .labels import F64, INTENSITIES, PRESENCES, from_blendshapes, subject_index, subject_means, subject_rest
from .predictors import Predictor
from .regression import Normal, classify, feature_scale, principal_components, relative, solve
from .sources import blendshape_names

LOG = logging.getLogger(__name__)
#: Share of a sequence in which a unit is taken to be at rest: offset of the dynamic intensities. Chosen on clips left
#: out (agreement with MediaPipe); higher for AU04, which answers to blinks as well.
CUTOFFS = {
    "AU01": 0.4, "AU02": 0.4, "AU04": 0.65, "AU05": 0.2, "AU06": 0.4, "AU07": 0.2, "AU09": 0.3, "AU10": 0.4,
    "AU12": 0.4, "AU14": 0.3, "AU15": 0.4, "AU17": 0.6, "AU20": 0.2, "AU23": 0.4, "AU25": 0.3, "AU26": 0.3,
    "AU45": 0.4,
}  # fmt: skip
#: Share of the truth in the label of rendered faces; the rest is MediaPipe's opinion of the same picture. It has no
#: live blendshape for AU06 and AU09 and is unsure about AU04.
TRUTH_SHARE = {"AU04": 1.0, "AU06": 1.0, "AU09": 1.0}
USUAL_TRUTH_SHARE = 0.5
MINIMUM_SUBJECT = 3  # faces of a subject that relative features need
PRESENT = 1.0  # intensity from which a unit counts as present
MAXIMUM_GAIN = 2.5  # undoes the shrinkage of the regression up to this factor
SVM_ROWS = 24000


@dataclass(frozen=True)
class Scales:
    """Spread (18,) of MediaPipe's sums and of true intensities within a subject."""

    blendshapes: F64
    truth: F64

    def intensities(self, sums: F64, subjects: NDArray[np.str_]) -> F64:
        """Blendshape sums (n, 18) as intensities 0 to 5 above the subject's rest."""
        above = sums - subject_rest(sums, subjects)
        return np.clip(above / self.blendshapes * self.truth, 0.0, 5.0)


@dataclass(frozen=True)
class Material:
    """Feature sets, blendshape names and the spread of their labels."""

    real: tuple[FaceSet, ...]
    rendered: FaceSet
    names: tuple[str, ...]
    scales: Scales

    @classmethod
    def of(cls, real: tuple[FaceSet, ...], rendered: FaceSet, names: tuple[str, ...]) -> Material:
        """Measure the spreads on the first real set and on the rendered faces."""
        sums = from_blendshapes(real[0].blendshapes, names)
        spread = (sums - subject_means(sums, real[0].subject)).std(axis=0)
        truth = rendered.truth - subject_means(rendered.truth, rendered.subject)
        return cls(real, rendered, names, Scales(spread, truth.std(axis=0)))


def load_material(work: Path, data: Path) -> Material:
    """Read the feature sets of a work folder."""
    real = [FaceSet.load(path) for name in ("real", "turned") if (path := work / f"{name}.npz").exists()]
    return Material.of(tuple(real), FaceSet.load(work / "rendered.npz"), blendshape_names(data))


def _many(subjects: NDArray[np.str_]) -> NDArray[np.bool_]:
    index, count = subject_index(subjects)
    return np.asarray(count[index] >= MINIMUM_SUBJECT)


def rendered_targets(material: Material) -> F64:
    """Relative labels (n, 18) of rendered faces: truth, and MediaPipe's opinion where there is one."""
    faces, scales = material.rendered, material.scales
    truth = faces.truth - subject_means(faces.truth, faces.subject)
    target = np.asarray(truth / scales.truth)
    if np.isnan(faces.blendshapes).all():
        return target
    sums = from_blendshapes(np.nan_to_num(faces.blendshapes), material.names)
    opinion = sums - subject_means(sums, faces.subject)
    opinion = opinion / np.maximum(scales.blendshapes, opinion.std(axis=0))
    share = np.array([TRUTH_SHARE.get(name, USUAL_TRUTH_SHARE) for name in PRESENCES])
    return np.asarray(share * target + (1 - share) * opinion)


@dataclass(frozen=True)
class Dynamic:
    """Scaled relative features and sums of products, kept for held-out tests."""

    scale: F32
    real: Normal
    clips: dict[str, Normal]
    rendered: Normal
    held_out: Normal


def prepare_dynamic(material: Material) -> Dynamic:
    """Compute the sums of products of all sets; rendered faces of held-out people stay apart."""
    clips: dict[str, Normal] = {}
    real: Normal | None = None
    scale: F32 | None = None
    for faces in material.real:
        keep = _many(faces.subject)
        features = relative(faces.features, faces.subject)[keep]
        scale = feature_scale(features) if scale is None else scale
        features *= scale
        sums = from_blendshapes(faces.blendshapes, material.names)
        labels = ((sums - subject_means(sums, faces.subject)) / material.scales.blendshapes)[keep]
        subject = faces.subject[keep]
        is_clip = np.char.startswith(subject, "clip")
        for name in np.unique(subject[is_clip]):
            part = Normal.of(features[subject == name], labels[subject == name])
            clips[str(name)] = clips[str(name)] + part if str(name) in clips else part
        people = Normal.of(features[~is_clip], labels[~is_clip])
        real = people if real is None else real + people
    if real is None or scale is None:
        raise ValueError("no real faces to train on")
    for part in clips.values():
        real = real + part
    features = relative(material.rendered.features, material.rendered.subject) * scale
    targets = rendered_targets(material)
    out = material.rendered.part != "train"
    return Dynamic(
        scale, real, clips, Normal.of(features[~out], targets[~out]), Normal.of(features[out], targets[out])
    )


def gains(weights: F64, features: F32, truth: F64, spread: F64) -> F64:
    """Factor (18,) that gives predictions of faces (n, d) the height of their true intensities."""
    predicted = features @ weights
    true = truth - truth.mean(axis=0)
    slope = (predicted * true).sum(axis=0) / (true**2).sum(axis=0)  # 1 / spread would be perfect
    return np.asarray(np.minimum(1 / np.maximum(slope, 1e-9), MAXIMUM_GAIN * spread))


def train_dynamic(material: Material, sums: Dynamic) -> list[Predictor]:
    """Train dynamic intensities and presences."""
    total = sums.real + sums.rendered + sums.held_out
    # what the gain is measured on must not have been seen
    unseen = solve(sums.real + sums.rendered)
    out = material.rendered.part != "train"
    features = (relative(material.rendered.features, material.rendered.subject) * sums.scale)[out][:, 0]
    truth = material.rendered.truth - subject_means(material.rendered.truth, material.rendered.subject)
    gain = gains(unseen, features, truth[out], material.scales.truth)
    weights = solve(total) * gain * sums.scale[:, None]
    predictors = [
        Predictor(name, True, True, weights[:, PRESENCES.index(name)], 0.0, CUTOFFS[name])
        for name in INTENSITIES
    ]
    relatives = [relative(faces.features, faces.subject)[:, ::2] for faces in material.real[:1]]
    relatives.append(relative(material.rendered.features, material.rendered.subject)[:, :1])
    return predictors + _presences(material, relatives, total.gram, sums.scale, None)


def train_static(material: Material, scale: F32) -> tuple[list[Predictor], F64]:
    """Train static intensities and presences; returns also the means that all of them subtract."""
    sets = [(faces, faces.features) for faces in (*material.real, material.rendered)]
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
    weights = solve(total) * scale[:, None]
    predictors = [
        Predictor(name, True, False, weights[:, PRESENCES.index(name)], float(bias[PRESENCES.index(name)]))
        for name in INTENSITIES
    ]
    views = [material.real[0].features[:, ::2], material.rendered.features[:, :1]]
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
