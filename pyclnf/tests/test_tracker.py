"""The tracker's state machine on a synthetic model: when it searches, what it reports, how it recovers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import pytest
import synthetic_face as synthetic

from pyclnf import CLNF, FaceFit, FaceTracker, FitParameters, LandmarkModel

FACE = synthetic.image(1)
NO_FACE = np.full_like(FACE, 90)
BOX = (45.0, 40.0, 130.0, 120.0)


@dataclass
class Detection:
    box: np.ndarray


class CountingDetector:
    """Notes the frames in which it is asked; finds boxes where there is texture, or wherever it is told to."""

    def __init__(self, boxes: Sequence[Sequence[float]] = (BOX,), always: bool = False) -> None:
        self.boxes = boxes
        self.always = always
        self.frame = -1
        self.asked: list[int] = []

    def detect(self, image: np.ndarray) -> list[Detection]:
        self.asked.append(self.frame)
        found = self.boxes if self.always or image.std() > 0 else ()
        return [Detection(np.array(b, np.float32)) for b in found]


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> dict[str, LandmarkModel]:
    folder = tmp_path_factory.mktemp("synthetic")
    return {
        "cen": LandmarkModel.load(synthetic.write_model(folder / "cen")),
        "ccnf": LandmarkModel.load(synthetic.write_model(folder / "ccnf", "ccnf")),
        "parts": LandmarkModel.load(synthetic.write_model(folder / "parts", part=True)),
    }


@pytest.fixture(params=["cen", "ccnf", "parts"])
def model(request: pytest.FixtureRequest, models: dict[str, LandmarkModel]) -> LandmarkModel:
    return models[request.param]


def run(tracker: FaceTracker, frames: Sequence[np.ndarray]) -> list[FaceFit]:
    fits = []
    for i, frame in enumerate(frames):
        if isinstance(tracker.detector, CountingDetector):
            tracker.detector.frame = i
        fits.append(tracker.track(frame))
    return fits


def assert_same(a: FaceFit, b: FaceFit) -> None:
    np.testing.assert_array_equal(a.landmarks, b.landmarks)
    np.testing.assert_array_equal(a.params_global, b.params_global)
    np.testing.assert_array_equal(a.params_local, b.params_local)
    np.testing.assert_array_equal(a.landmark_likelihoods, b.landmark_likelihoods)
    assert (a.confidence, a.valid, a.tracked, a.view, a.likelihood) == (
        b.confidence, b.valid, b.tracked, b.view, b.likelihood,
    )  # fmt: skip
    for p, q in zip(a.parts, b.parts, strict=True):
        np.testing.assert_array_equal(p.landmarks, q.landmarks)


def test_a_face_never_seen_is_searched_for_in_every_twelfth_frame(model: LandmarkModel) -> None:
    tracker = FaceTracker(model, CountingDetector())
    fits = run(tracker, [NO_FACE] * 30)
    assert tracker.detector.asked == [0, 12, 24]
    assert not any(f.valid or f.tracked for f in fits)
    assert not tracker.tracking


def test_a_face_that_comes_later_is_found_at_the_next_search(model: LandmarkModel) -> None:
    tracker = FaceTracker(model, CountingDetector())
    fits = run(tracker, [NO_FACE] * 2 + [FACE] * 12)
    assert tracker.detector.asked == [0, 12]
    assert [f.valid for f in fits] == [False] * 12 + [True] * 2
    assert fits[-1].confidence == pytest.approx(synthetic.FOUND)


def test_a_tracked_face_is_not_searched_for(model: LandmarkModel) -> None:
    tracker = FaceTracker(model, CountingDetector())
    fits = run(tracker, [FACE] * 20)
    assert tracker.detector.asked == [0]
    assert all(f.valid and f.tracked for f in fits)


def test_a_lost_face_is_searched_for_at_once_and_in_every_second_frame(model: LandmarkModel) -> None:
    tracker = FaceTracker(model, CountingDetector())
    fits = run(tracker, [FACE] * 5 + [NO_FACE] * 7)
    assert tracker.detector.asked == [0, 5, 7, 9, 11]
    assert [f.valid for f in fits] == [True] * 5 + [False] * 7
    assert fits[-1].confidence == pytest.approx(synthetic.LOST)


def test_a_face_that_returns_is_tracked_again(model: LandmarkModel) -> None:
    tracker = FaceTracker(model, CountingDetector())
    fits = run(tracker, [FACE] * 3 + [NO_FACE] * 4 + [FACE] * 3)
    assert [f.valid for f in fits] == [True] * 3 + [False] * 4 + [True] * 3
    assert tracker.detector.asked == [0, 3, 5]


def test_after_a_hundred_failures_tracking_is_given_up(models: dict[str, LandmarkModel]) -> None:
    tracker = FaceTracker(models["cen"], CountingDetector())
    run(tracker, [FACE])
    fits = run(tracker, [NO_FACE] * 101)
    assert tracker.tracking
    fits += run(tracker, [NO_FACE])
    assert not tracker.tracking
    assert not any(f.valid for f in fits)
    tracker.detector.asked.clear()
    run(tracker, [NO_FACE] * 30)
    assert tracker.detector.asked == [6, 18], "the count of failures goes on, one search in twelve frames"
    assert all(f.valid for f in run(tracker, [FACE] * 12)[-2:])


def test_the_first_detection_counts_whatever_the_validator_says(model: LandmarkModel) -> None:
    fit = run(FaceTracker(model, CountingDetector(always=True)), [NO_FACE])[0]
    assert fit.tracked
    assert not fit.valid
    assert fit.confidence == pytest.approx(synthetic.LOST)


def test_a_failed_search_leaves_landmarks_and_shape_as_they_were(model: LandmarkModel) -> None:
    frames = [FACE] * 3 + [NO_FACE]
    elsewhere = CountingDetector(always=True)
    tracker = FaceTracker(model, elsewhere)
    run(tracker, frames[:3])
    elsewhere.boxes = [(5.0, 5.0, 90.0, 90.0)]
    fit = tracker.track(NO_FACE)
    undisturbed = run(FaceTracker(model, CountingDetector()), frames)[-1]
    np.testing.assert_array_equal(fit.landmarks, undisturbed.landmarks)
    np.testing.assert_array_equal(fit.params_global, undisturbed.params_global)
    np.testing.assert_array_equal(fit.params_local, undisturbed.params_local)
    assert not fit.tracked
    assert elsewhere.asked[-1] == 2


def test_a_box_from_the_caller_starts_tracking_without_a_search(model: LandmarkModel) -> None:
    tracker = FaceTracker(model, CountingDetector())
    fit = tracker.track(FACE, box=BOX)
    assert fit.valid
    assert tracker.tracking
    assert tracker.detector.asked == []


def test_the_widest_face_is_taken_unless_another_is_preferred_once(models: dict[str, LandmarkModel]) -> None:
    boxes = [(10.0, 60.0, 80.0, 80.0), (100.0, 60.0, 90.0, 80.0)]
    first = {}
    for name, point in {"widest": None, "preferred": (50.0, 100.0)}.items():
        tracker = FaceTracker(models["cen"], CountingDetector(boxes))
        if point:
            tracker.prefer(*point)
        first[name] = tracker.track(FACE).landmarks[:, 0].mean()
        tracker.reset()
        assert tracker.track(FACE).landmarks[:, 0].mean() == first["widest"], (
            "a preference is forgotten after its use"
        )
    assert first["preferred"] < 90 < first["widest"]


VIDEO = [NO_FACE, *[synthetic.image(k, smooth=9) for k in range(1, 5)] * 4, NO_FACE, NO_FACE, FACE, FACE]


def test_a_second_run_after_reset_is_identical(model: LandmarkModel) -> None:
    tracker = FaceTracker(model, CountingDetector())
    first = run(tracker, VIDEO)
    tracker.reset()
    assert not tracker.tracking
    for a, b in zip(first, run(tracker, VIDEO), strict=True):
        assert_same(a, b)


def test_results_depend_neither_on_threads_nor_on_the_tracker_object(model: LandmarkModel) -> None:
    one = run(FaceTracker(model, CountingDetector(), threads=1), VIDEO)
    two = run(FaceTracker(model, CountingDetector(), threads=2), VIDEO)
    for a, b in zip(one, two, strict=True):
        assert_same(a, b)


def test_results_do_not_depend_on_how_the_frame_lies_in_memory(model: LandmarkModel) -> None:
    grey = run(FaceTracker(model, CountingDetector()), [FACE, FACE])
    colour = np.repeat(FACE[:, :, None], 3, axis=2)
    wide = np.repeat(FACE[:, :, None], 6, axis=2)
    layouts = {
        "bgr": colour,
        "bgra": np.repeat(FACE[:, :, None], 4, axis=2),
        "one channel": FACE[:, :, None],
        "fortran": np.asfortranarray(colour),
        "every second channel": wide[:, :, ::2],
        "flipped twice": colour[::-1, ::-1].copy()[::-1, ::-1],
        "16 bit": FACE.astype(np.uint16) * 256,
        "read-only": colour.copy(),
    }
    layouts["read-only"].flags.writeable = False
    for frame in layouts.values():
        for a, b in zip(run(FaceTracker(model, CountingDetector()), [frame, frame]), grey, strict=True):
            assert_same(a, b)


def test_results_are_snapshots(model: LandmarkModel) -> None:
    tracker = FaceTracker(model, CountingDetector())
    first = tracker.track(FACE)
    copies = first.landmarks.copy(), first.params_global.copy(), first.landmark_likelihoods.copy()
    run(tracker, VIDEO)
    first_again = first.landmarks, first.params_global, first.landmark_likelihoods
    for a, b in zip(first_again, copies, strict=True):
        np.testing.assert_array_equal(a, b)


BAD_FRAMES = [
    (np.zeros((0, 0, 3), np.uint8), ValueError),
    (np.zeros((0, 5), np.uint8), ValueError),
    (np.zeros((20, 20), np.float32), TypeError),
    (np.zeros((20, 20, 3), np.float64), TypeError),
    (np.zeros((20, 20, 3), np.int32), TypeError),
    (np.zeros((20, 20), bool), TypeError),
    (np.zeros((20, 20, 2), np.uint8), ValueError),
    (np.zeros((20, 20, 5), np.uint8), ValueError),
    (np.zeros((2, 20, 20, 3), np.uint8), ValueError),
    (np.zeros(20, np.uint8), ValueError),
    (None, TypeError),
    ([[1, 2], [3, 4]], TypeError),
    ("face.jpg", TypeError),
]
BAD_BOXES: list[object] = [
    (1, 2, 3), (1, 2, 3, 4, 5), (0, 0, 0, 10), (0, 0, 10, -1), (np.nan, 0, 10, 10), (0, 0, np.inf, 10), [[1, 2, 3, 4]],
]  # fmt: skip


@pytest.mark.parametrize(("frame", "error"), BAD_FRAMES)
def test_frames_that_are_no_images_are_refused(
    models: dict[str, LandmarkModel], frame: np.ndarray, error: type[Exception]
) -> None:
    tracker = FaceTracker(models["cen"], CountingDetector())
    with pytest.raises(error, match="image"):
        tracker.track(frame)
    with pytest.raises(error, match="image"):
        CLNF(models["cen"]).fit(frame, BOX)
    assert tracker.track(FACE).valid, "a refused frame leaves no trace"


@pytest.mark.parametrize("box", BAD_BOXES)
def test_boxes_that_are_none_are_refused(models: dict[str, LandmarkModel], box: object) -> None:
    tracker = FaceTracker(models["cen"], CountingDetector())
    with pytest.raises(ValueError, match="box must be"):
        tracker.track(FACE, box=box)
    with pytest.raises(ValueError, match="box must be"):
        CLNF(models["cen"]).fit(FACE, box)
    assert not tracker.tracking


@pytest.mark.parametrize(
    "box",
    [
        (-5000, -5000, 100, 100), (1e6, 1e6, 50, 60), (0, 0, 1e-30, 1e-30), (0, 0, 1e-3, 1e-3), (-1e7, -1e7, 2e7, 2e7),
        (0, 0, 1e30, 1e30), (1e38, 0, 100, 100), (0, 0, 10, 0.5), (50, 50, 1, 1),
    ],
)  # fmt: skip
def test_boxes_without_a_face_do_no_harm(model: LandmarkModel, box: tuple[float, ...]) -> None:
    with np.errstate(all="ignore"):
        for multi_view in (False, True):
            fit = CLNF(model, multi_view=multi_view).fit(FACE, box)
            assert not fit.valid
        tracker = FaceTracker(model, CountingDetector(boxes=()))
        assert not tracker.track(FACE, box=box).valid
        tracker.detector = CountingDetector()
        assert run(tracker, [FACE, FACE])[1].valid, "the search in the second frame brings it back"


@pytest.mark.parametrize("shape", [(1, 1), (1, 300), (300, 1), (2, 2), (12, 11)])
def test_tiny_images_are_fitted_without_harm(model: LandmarkModel, shape: tuple[int, int]) -> None:
    fit = CLNF(model).fit(np.full(shape, 7, np.uint8), BOX)
    assert fit.landmarks.shape == (synthetic.N_POINTS, 2)
    assert not fit.valid


def test_a_still_fit_starts_afresh_each_time(model: LandmarkModel) -> None:
    clnf = CLNF(model, multi_view=True)
    first = clnf.fit(FACE, BOX)
    clnf.fit(synthetic.image(9), (10, 10, 100, 100))
    assert_same(clnf.fit(FACE, BOX), first)


@pytest.mark.parametrize("wild", [False, True])
def test_parameters_of_every_kind_fit(model: LandmarkModel, wild: bool) -> None:
    base = FitParameters.for_model(model, wild=wild)
    for parameters in (
        base,
        replace(base, windows_init=(11,)),
        replace(base, windows_init=(0, 9, 0, 0)),
        replace(base, windows_init=(11, 9, 7, 5, 3, 3)),
        replace(base, use_parts=False, validate=False),
        replace(base, refine=False, weight_factor=1.0),
    ):
        fit = CLNF(model, parameters=parameters).fit(FACE, BOX)
        assert np.isfinite(fit.landmarks).all()
        assert fit.valid


def test_windows_that_cannot_be_are_refused(models: dict[str, LandmarkModel]) -> None:
    for name in ("cen", "ccnf"):
        parameters = replace(FitParameters(), windows_init=(17, 9, 7))
        with pytest.raises(ValueError, match="window"):
            CLNF(models[name], parameters=parameters).fit(FACE, BOX)


def test_the_old_names_of_the_verdicts_warn_and_still_answer(models: dict[str, LandmarkModel]) -> None:
    fit = FaceTracker(models["cen"], CountingDetector(always=True)).track(NO_FACE)
    assert (fit.valid, fit.tracked) == (False, True)
    with pytest.warns(DeprecationWarning, match=r"FaceFit\.valid") as caught:
        assert fit.success is False
    assert caught[0].filename == __file__
    with pytest.warns(DeprecationWarning, match=r"FaceFit\.tracked"):
        assert fit.detected is True
