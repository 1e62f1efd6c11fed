"""Feature sets: descriptors of real, turned and rendered faces at the landmarks of our own tracker."""

from __future__ import annotations

import logging
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from pyclnf import CLNF, FaceTracker, LandmarkModel

from .descriptors import F32, Describer
from .relit import relit
from .sources import F64, U8, Frame

LOG = logging.getLogger(__name__)
#: A fit further than this from the labels (mean over points, in outer-eye distances) is not used.
MAXIMUM_ERROR = 0.09
#: Noise of the landmarks (outer-eye distances): plain and shaken copies of real faces, rendered faces.
REAL_NOISE, RENDERED_NOISE = (0.0, 0.01), 0.003
#: Copies of each real face under other light.
RELIT = 2


@dataclass(frozen=True)
class FaceSet:
    """Descriptors and labels of one kind of faces.

    Attributes
    ----------
    features : (n, v, 4702) float32, v variants of each face (mirrored, shaken), half of them mirrored
    subject, part : (n,) whose face, and ``train``, ``validation`` or ``test``
    truth : (n, 18) intensities by construction, NaN for real faces
    blendshapes : (n, 52) MediaPipe's, NaN where it was not asked or found no face
    """

    features: F32
    subject: NDArray[np.str_]
    part: NDArray[np.str_]
    truth: F64
    blendshapes: F64

    def save(self, path: Path) -> None:
        """Keep the set as an .npz file."""
        np.savez(path, **{name: getattr(self, name) for name in self.__dataclass_fields__})

    @classmethod
    def load(cls, path: Path) -> FaceSet:
        """Read a set written by `save`."""
        with np.load(path, allow_pickle=False) as stored:
            return cls(**{name: stored[name] for name in cls.__dataclass_fields__})


def around(points: F64) -> F64:
    """Box (x, y, w, h) of points."""
    low, high = points.min(axis=0), points.max(axis=0)
    return np.array([*low, *(high - low)])


def distance(fitted: NDArray[np.floating], points: F64) -> float:
    """Mean distance of two sets of points in outer-eye distances."""
    size = float(np.linalg.norm(points[45] - points[36]))
    return float(np.linalg.norm(fitted - points, axis=1).mean()) / size


def real_faces(describe: Describer, model: LandmarkModel, crops: Iterable[Frame], clips: Path, frames: Iterable[Frame],
               seed: int) -> FaceSet:  # fmt: skip
    """Crops at the fit to their box; clip frames at what the tracker found in the whole clip."""
    rng = np.random.default_rng(seed)
    rows: list[tuple[Frame, NDArray[np.floating]]] = []
    clnf = CLNF(model)
    for frame in crops:
        fitted = clnf.fit(frame.image, around(frame.points)).landmarks.copy()
        if distance(fitted, frame.points) < MAXIMUM_ERROR:
            rows.append((frame, fitted))
    tracks = {path.stem: track(model, path) for path in sorted(clips.glob("*.avi"))}
    for frame in frames:
        fitted = tracks[frame.subject][frame.index]
        if distance(fitted, frame.points) < MAXIMUM_ERROR:
            rows.append((frame, fitted))
    features = np.empty((len(rows), 2 * (len(REAL_NOISE) + RELIT), describe.size), np.float32)
    for row, (frame, fitted) in enumerate(rows):
        variants = [describe.varied(frame.image, fitted, rng, noise) for noise in REAL_NOISE]
        for _ in range(RELIT):
            image = relit(frame.image, frame.points, rng)
            again = clnf.fit(image, around(frame.points)).landmarks
            # a tracker would have come here from better light
            found = again if distance(again, frame.points) < MAXIMUM_ERROR else fitted
            variants.append(describe.varied(image, found, rng, RENDERED_NOISE))
        features[row] = np.concatenate(variants)
    LOG.info("%d real faces", len(rows))
    return FaceSet(
        features,
        np.array([frame.subject for frame, _ in rows]),
        np.array([frame.part for frame, _ in rows]),
        np.full((len(rows), 18), np.nan),
        np.array([frame.blendshapes for frame, _ in rows]),
    )


def track(model: LandmarkModel, path: Path) -> NDArray[np.floating]:
    """Landmarks (n, 68, 2) of every frame of a clip, NaN where the tracker has no face."""
    from pymtcnn import MTCNN

    tracker = FaceTracker(model, MTCNN())
    reader = cv2.VideoCapture(str(path))
    out: list[NDArray[np.floating]] = []
    while True:
        there, image = reader.read()
        if not there:
            return np.array(out)
        fit = tracker.track(np.asarray(image, np.uint8))
        out.append(fit.landmarks.copy() if fit.valid else np.full((68, 2), np.nan))


def drawn_faces(
    describe: Describer, model: LandmarkModel, folder: Path, blendshapes: F64 | None, seed: int
) -> FaceSet:
    """Pictures of a folder made by `rendered` or `turned`, at the fit to a shifted box."""
    rng = np.random.default_rng(seed)
    with np.load(folder / "truth.npz", allow_pickle=False) as stored:
        known = {name: stored[name] for name in stored.files}
    points = known["points"]
    clnf = CLNF(model)
    features = np.empty((len(points), 2, describe.size), np.float32)
    lost = 0
    for i, true in enumerate(points):
        image: U8 = np.asarray(cv2.imread(str(folder / f"{i:05d}.jpg"), cv2.IMREAD_COLOR), np.uint8)
        size = float(np.linalg.norm(true[45] - true[36]))
        fitted = clnf.fit(image, around(true + rng.normal(0, 0.04 * size, (1, 2)))).landmarks
        if distance(fitted, true) > MAXIMUM_ERROR:
            # extreme faces; a tracker would have come here from a calmer frame
            fitted, lost = true.astype(np.float32), lost + 1
        features[i] = describe.varied(image, fitted, rng, RENDERED_NOISE)
    LOG.info("%s: %d pictures, %d at their true points", folder.name, len(points), lost)
    seen = np.full((len(points), 52), np.nan) if blendshapes is None else blendshapes
    if "blendshapes" in known:
        # drawn from a frame with labels: MediaPipe's opinions of the frame and of the picture count the same
        before = known["blendshapes"]
        seen = np.where(np.isnan(seen), before, 0.5 * (before + seen))
    truth = known.get("truth", np.full((len(points), 18), np.nan))
    return FaceSet(features, known["subject"], known["part"], truth, seen)
