"""Figures of the landmark stages against the C++ reference's stored outputs.

`figures(shared)` gives the rows of a parity table; the functions above it measure one stage each.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt

from pyclnf import CLNF, PDM, FaceFit, FaceTracker, LandmarkModel
from pyclnf.core.patch_experts import new_maps
from pyclnf.core.validator import DetectionValidator
from pyclnf.geometry import align_similarity
from pyclnf.image import to_grey

Array = npt.NDArray[np.float32]
MODELS = Path("openface/2.2.0/originals/lib/local/LandmarkDetector/model")
MAIN_FILES = {
    "clnf": MODELS / "main_clnf_general.txt",
    "ceclm_fixture": Path("cen_fixture/main_ceclm_general.txt"),
}
VIDEOS = {
    "default": "default.wmv",
    "changeLighting": "changeLighting.wmv",
    "2015-10-15-15-14": "2015-10-15-15-14.avi",
    "multi_face": "multi_face.avi",
}
SAMPLES = tuple(f"sample{k}" for k in range(1, 7))
WINDOWS = (7, 9, 11, 15)
SAME_FIT = 0.1  # px, mean over the landmarks
SAME_BOX = 1e-6  # relative: eight units in the last place of float32


@dataclass(frozen=True)
class Figure:
    """One row: what was measured, the value, its bar, and whether a high value is good."""

    stage: str
    value: float
    bar: float
    high_is_good: bool = False
    detail: str = ""

    @property
    def passed(self) -> bool:
        """Whether the value reaches its bar."""
        return self.value >= self.bar if self.high_is_good else self.value <= self.bar


@dataclass(frozen=True)
class FaceError:
    """A face of a still image: mean landmark error in px, and whether verdict and certainty are the reference's.

    A fit may end in either of two places that boxes 1e-6 apart decide between; the reference's then has no claim to be
    the right one. `error` is of the fit that comes nearest to it, `is_bistable` says that this is not the box's own.
    """

    name: str
    error: float
    is_bistable: bool
    same_verdict: bool


@dataclass(frozen=True, eq=False)
class VideoErrors:
    """Per frame of a video: mean landmark error in px, free-running and of one step; equal success and certainty."""

    free: Array
    step: Array
    same_success: npt.NDArray[np.bool_]
    same_certainty: npt.NDArray[np.bool_]


@cache
def model(shared: Path, mode: str) -> LandmarkModel:
    """Load the landmark model of a mode of the reference material."""
    return LandmarkModel.load(shared / MAIN_FILES[mode])


@cache
def face_pdm(shared: Path) -> PDM:
    """Load OpenFace's shape model of 68 points."""
    return PDM.from_file(shared / MODELS / "pdms" / "In-the-wild_aligned_PDM_68.txt")


def gold_image(shared: Path, sample: str, name: str) -> Array:
    """Read one stored array of a still image."""
    return np.load(shared / "gold" / "images" / sample / f"{name}.npy").astype(np.float32)


def grey_image(shared: Path, sample: str) -> npt.NDArray[np.uint8]:
    """Read a sample image as the fit sees it."""
    return to_grey(cv2.imread(str(shared / "media" / f"{sample}.jpg")))


def mean_error(landmarks: Array, gold: Array) -> float:
    """Mean distance of (n, 2) landmarks from the reference's (2, n), px."""
    return float(np.linalg.norm(landmarks.T - gold, axis=0).mean())


def pdm_errors(shared: Path) -> dict[str, float]:
    """Largest relative error of each operation of the shape model over the sample images."""
    pdm = face_pdm(shared)
    worst: dict[str, float] = {}
    for sample in SAMPLES:
        gold = {n: gold_image(shared, sample, f"pdm_{n}").squeeze() for n in PDM_CASES}
        g, p = gold["params_global"], gold["params_local"]
        fitted_g, fitted_p = pdm.fit_planar(gold["shape2d"])
        found = {
            "shape2d": pdm.project_planar(g, p),
            "shape3d": pdm.shape_3d(p).T.reshape(-1),
            "jacobian": pdm.jacobian(g, p),
            "rigid_jacobian": pdm.jacobian(g, p, rigid=True),
            "bounding_box": pdm.bounding_box(g, p),
            "calcparams_bbox": pdm.params_from_box((100, 120, 180, 170), None, (0, 0.3, 0)),
            "calcparams_landmarks_global": fitted_g,
            "calcparams_landmarks_local": fitted_p,
        }
        for name, value in found.items():
            error = float(np.abs(value - gold[name]).max() / np.abs(gold[name]).max())
            worst[name] = max(worst.get(name, 0.0), error)
    return worst


PDM_CASES = (
    "params_global", "params_local", "shape2d", "shape3d", "jacobian", "rigid_jacobian", "bounding_box",
    "calcparams_bbox", "calcparams_landmarks_global", "calcparams_landmarks_local",
)  # fmt: skip


def response_errors(shared: Path, mode: str) -> dict[str, float]:
    """Largest error of each sample's response maps, as a fraction of their range; all scales and windows."""
    out = {}
    for sample in SAMPLES:
        grey = grey_image(shared, sample)
        g = gold_image(shared, sample, f"params_global_{mode}")[0].reshape(-1)
        p = gold_image(shared, sample, f"params_local_{mode}")[0].reshape(-1)
        landmarks = np.ascontiguousarray(gold_image(shared, sample, f"landmarks_{mode}")[0].reshape(-1))
        worst = 0.0
        for k, experts in enumerate(model(shared, mode).scales):
            to_image = np.ascontiguousarray(gold_image(shared, sample, f"sim_ref_to_img_{mode}_scale{k}"))
            view = face_pdm(shared).look(g, p, experts.scale, experts.centres.astype(np.float32)).view
            seen = experts.visibility[view].astype(bool)
            for window in WINDOWS:
                gold = gold_image(shared, sample, f"response_{mode}_scale{k}_window{window}")[seen]
                maps = new_maps(len(seen), window)
                experts.responses(grey, landmarks, to_image, window, view, maps)
                error = np.abs(maps[seen, :, :window] - gold).max() / np.ptp(gold)
                worst = max(worst, float(error))
        out[sample] = worst
    return out


def similarity_errors(shared: Path, mode: str) -> float:
    """Largest difference of the reference-frame similarities of the fitted shapes, relative."""
    worst = 0.0
    pdm = face_pdm(shared)
    for sample in SAMPLES:
        g = gold_image(shared, sample, f"params_global_{mode}")[0].reshape(-1)
        p = gold_image(shared, sample, f"params_local_{mode}")[0].reshape(-1)
        for k, experts in enumerate(model(shared, mode).scales):
            gold = gold_image(shared, sample, f"sim_ref_to_img_{mode}_scale{k}")
            upright = pdm.project((experts.scale, 0, 0, 0, 0, 0), p)
            found = align_similarity(upright, pdm.project(g, p))
            worst = max(worst, float(np.abs(found - gold).max() / np.abs(gold).max()))
    return worst


def validator_disagreements(shared: Path, mode: str) -> list[str]:
    """Faces whose certainty, at the reference's own landmarks, is not the reference's."""
    validator = model(shared, mode).validator
    assert isinstance(validator, DetectionValidator)
    wrong = []
    for sample in SAMPLES:
        grey = grey_image(shared, sample)
        landmarks = gold_image(shared, sample, f"landmarks_{mode}")
        rotations = gold_image(shared, sample, f"params_global_{mode}").reshape(len(landmarks), 6)[:, 1:4]
        stored = gold_image(shared, sample, f"success_certainty_likelihood_view_{mode}")[:, 1]
        found = [
            validator.certainty(r, grey, np.ascontiguousarray(x.reshape(-1)))
            for r, x in zip(rotations, landmarks, strict=True)
        ]
        wrong += [
            f"{sample}/{i}" for i, (a, b) in enumerate(zip(found, stored, strict=True)) if abs(a - b) > 1e-4
        ]
        if abs(found[0] - float(gold_image(shared, sample, f"validator_check_{mode}")[0])) > 1e-6:
            wrong.append(f"{sample}/check")
    return wrong


def image_errors(shared: Path, mode: str, multi_view: bool) -> list[FaceError]:
    """Every face of the sample images, fitted from the reference's detector boxes."""
    suffix = f"{mode}_multi_view" if multi_view else mode
    clnf = CLNF(model(shared, mode), multi_view=multi_view)
    out = []
    for sample in SAMPLES:
        image = cv2.imread(str(shared / "media" / f"{sample}.jpg"))
        landmarks = gold_image(shared, sample, f"landmarks_{suffix}")
        stored = gold_image(shared, sample, f"success_certainty_likelihood_view_{suffix}")
        for i, box in enumerate(gold_image(shared, sample, "mtcnn_boxes")):
            fit, error = nearest_fit(clnf, image, box[:4], landmarks[i], 0.0)
            is_bistable = error > SAME_FIT
            if is_bistable:
                fit, error = nearest_fit(clnf, image, box[:4], landmarks[i], SAME_BOX)
            same = fit.tracked == bool(stored[i, 0]) and abs(fit.confidence - stored[i, 1]) < 1e-4
            out.append(FaceError(f"{sample}/{i}", error, is_bistable, same))
    return out


def nearest_fit(
    clnf: CLNF, image: npt.NDArray[np.uint8], box: Array, landmarks: Array, spread: float
) -> tuple[FaceFit, float]:
    """Fit and error of the box, or of the best of some boxes that differ from it by a relative `spread`."""
    shifts = np.random.default_rng(0).uniform(-spread, spread, (16, 4)) if spread else np.zeros((1, 4))
    fits = [clnf.fit(image, box * (1.0 + shift)) for shift in shifts]
    return min(((f, mean_error(f.landmarks, landmarks)) for f in fits), key=lambda found: found[1])


class _Follower:
    """Tracks one video twice in step: freely, and from the reference's state of the frame before."""

    def __init__(self, shared: Path, mode: str, video: str) -> None:
        folder = shared / "gold" / "video" / mode / video
        read = {n: np.load(folder / f"{n}.npy").astype(np.float32) for n in _VIDEO_ARRAYS}
        self.landmarks = read["landmarks_2x68"]
        self.n = len(self.landmarks)
        self.success, self.certainty = read[_STATE][:, 1] > 0, read[_STATE][:, 2]
        self.params_global = read["params_global"].reshape(self.n, -1)
        self.params_local = read["params_local"].reshape(self.n, -1)
        self.tracker = FaceTracker(model(shared, mode))
        self.stepper = FaceTracker(model(shared, mode), self.tracker.detector)
        self.free: list[float] = []
        self.step: list[float] = []
        self.same: list[tuple[bool, bool]] = []

    def follow(self, i: int, frame: npt.NDArray[np.uint8]) -> None:
        fit = self.tracker.track(frame)
        self.free.append(mean_error(fit.landmarks, self.landmarks[i]))
        self.same.append((fit.tracked == self.success[i], abs(fit.confidence - self.certainty[i]) < 1e-4))
        # While the face is lost, the state has more to it than was stored.
        if i > 0 and self.certainty[i - 1] > self.tracker.parameters.validation_boundary:
            self.stepper._initialised, self.stepper._failures = True, -1
            state = self.stepper._fitter.present
            state.params_global = self.params_global[i - 1].copy()
            state.params_local = self.params_local[i - 1].copy()
            state.success = True
            self.step.append(mean_error(self.stepper.track(frame).landmarks, self.landmarks[i]))

    def errors(self) -> VideoErrors:
        same = np.array(self.same)
        return VideoErrors(
            np.array(self.free, np.float32), np.array(self.step, np.float32), same[:, 0], same[:, 1]
        )


_STATE = "frame_success_certainty_likelihood_view"
_VIDEO_ARRAYS = ("landmarks_2x68", "params_global", "params_local", _STATE)


def least_equal_certainties(n: int) -> float:
    """Share of frames that must have the reference's certainty: all but 1 %, or one frame of a short clip."""
    return min(0.99, (n - 1) / n)


@cache
def video_errors(shared: Path, video: str) -> dict[str, VideoErrors]:
    """Errors of every mode on one video, which is decoded once."""
    followers = {mode: _Follower(shared, mode, video) for mode in MAIN_FILES}
    capture = cv2.VideoCapture(str(shared / "media" / VIDEOS[video]))
    for i in range(max(f.n for f in followers.values())):
        ok, frame = capture.read()
        if not ok:
            raise OSError(f"{VIDEOS[video]} ends at frame {i}")
        for follower in followers.values():
            if i < follower.n:
                follower.follow(i, frame)
    capture.release()
    return {mode: f.errors() for mode, f in followers.items()}


def figures(shared: Path) -> Iterator[Figure]:
    """Measure every stage of the landmarks: shape model, responses, validator, images, videos."""
    errors = pdm_errors(shared)
    worst = max(errors, key=lambda name: errors[name])
    yield Figure("PDM, 8 operations, largest relative error", errors[worst], 1e-4, detail=worst)
    for mode in MAIN_FILES:
        responses = response_errors(shared, mode)
        worst = max(responses, key=lambda name: responses[name])
        yield Figure(f"{mode}: response maps, largest error of range", responses[worst], 1e-3, detail=worst)
        wrong = validator_disagreements(shared, mode)
        yield Figure(f"{mode}: validator certainties that differ", len(wrong), 0, detail=", ".join(wrong))
        for multi_view in (False, True):
            faces = image_errors(shared, mode, multi_view)
            name = f"{mode}: {len(faces)} faces, {'eleven starting poses' if multi_view else 'one starting pose'}"
            face = max(faces, key=lambda f: f.error)
            mean = sum(f.error for f in faces) / len(faces)
            yield Figure(
                f"{name}, largest mean error of a face, px",
                face.error,
                SAME_FIT,
                detail=f"{face.name}; mean {mean:.4f}; {sum(f.is_bistable for f in faces)} of two equal ends",
            )
            equal = float(np.mean([f.same_verdict for f in faces]))
            yield Figure(f"{name}, equal verdicts and certainties", equal, 1.0, high_is_good=True)
    for video in VIDEOS:
        for mode, v in video_errors(shared, video).items():
            name = f"{mode}: {video}, {len(v.free)} frames"
            detail = f"p99 {np.percentile(v.free, 99):.3f}, max {v.free.max():.3f}"
            yield Figure(f"{name}, mean error, px", float(v.free.mean()), 0.1, detail=detail)
            yield Figure(f"{name}, 99th percentile, px", float(np.percentile(v.free, 99)), 1.0)
            detail = f"p99 {np.percentile(v.step, 99):.4f}, max {v.step.max():.3f}"
            yield Figure(
                f"{name}, one step from the reference's state, mean, px",
                float(v.step.mean()),
                0.03,
                detail=detail,
            )
            equal = float(v.same_success.mean())
            yield Figure(f"{name}, equal success", equal, 0.995, high_is_good=True)
            equal = float(v.same_certainty.mean())
            bar = least_equal_certainties(len(v.same_certainty))
            yield Figure(f"{name}, equal certainty", equal, bar, high_is_good=True)
