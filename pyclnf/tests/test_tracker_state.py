"""A tracker that is interrupted, saved, and restored in a new object goes on with identical bytes."""

from __future__ import annotations

import io
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import cache
from pathlib import Path

import numpy as np
import pytest
import synthetic_face as synthetic
from dot_faces import DotFace, SceneDetector, draw, model
from test_tracker import BOX, FACE, NO_FACE, VIDEO, CountingDetector, assert_same

from pyclnf import FaceFit, FaceTracker, FitParameters, LandmarkModel, MultiFaceTracker, TrackedFace
from pyclnf.core.optimizer import FitState, Fitter
from pyclnf.core.template import FaceTemplate
from pyclnf.identity import Identities

State = dict[str, np.ndarray]
LEFT, RIGHT = DotFace(70, 70), DotFace(250, 70)


def through_a_file(state: State) -> State:
    """What is left of a state after it was written and read without pickle."""
    file = io.BytesIO()
    np.savez(file, allow_pickle=False, **state)
    file.seek(0)
    with np.load(file, allow_pickle=False) as loaded:
        return dict(loaded)


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> dict[str, LandmarkModel]:
    folder = tmp_path_factory.mktemp("states")
    return {
        "cen": LandmarkModel.load(synthetic.write_model(folder / "cen")),
        "parts": LandmarkModel.load(synthetic.write_model(folder / "parts", part=True)),
    }


def interrupted(make: Callable[[], FaceTracker], frames: Sequence[np.ndarray], at: int) -> list[FaceFit]:
    first = make()
    fits = [first.track(frame) for frame in frames[:at]]
    second = make()
    second.track(FACE)  # it has a past of its own
    second.restore(through_a_file(first.state()))
    return fits + [second.track(frame) for frame in frames[at:]]


@pytest.mark.parametrize("template", [False, True])
@pytest.mark.parametrize("kind", ["cen", "parts"])
def test_a_tracker_restored_in_a_new_object_goes_on_with_identical_bytes(
    models: dict[str, LandmarkModel], kind: str, template: bool
) -> None:
    parameters = replace(FitParameters(), template_tracking=template)

    def make() -> FaceTracker:
        return FaceTracker(models[kind], CountingDetector(), parameters=parameters)

    tracker = make()
    whole = [tracker.track(frame) for frame in VIDEO]
    assert len({fit.valid for fit in whole}) == 2, "the face is found and lost"
    for at in (0, 1, 5, 17, 18, 19, 20):
        for fit, expected in zip(interrupted(make, VIDEO, at), whole, strict=True):
            assert_same(fit, expected)


def test_a_face_given_up_stays_given_up_and_the_count_of_failures_goes_on(
    models: dict[str, LandmarkModel],
) -> None:
    first = FaceTracker(models["cen"], CountingDetector())
    for frame in [FACE, *[NO_FACE] * 102]:
        first.track(frame)
    second = FaceTracker(models["cen"], CountingDetector())
    second.restore(first.state())
    assert not second.tracking
    for i in range(20):
        second.detector.frame = i
        second.track(NO_FACE)
    assert second.detector.asked == [6, 18]


def test_a_preference_that_was_not_used_yet_is_kept(models: dict[str, LandmarkModel]) -> None:
    boxes = [(10.0, 60.0, 80.0, 80.0), (100.0, 60.0, 90.0, 80.0)]
    first = FaceTracker(models["cen"], CountingDetector(boxes))
    first.prefer(50.0, 100.0)
    second = FaceTracker(models["cen"], CountingDetector(boxes))
    second.restore(through_a_file(first.state()))
    assert_same(second.track(FACE), first.track(FACE))
    assert first.track(FACE).landmarks[:, 0].mean() < 90
    fresh = FaceTracker(models["cen"], CountingDetector(boxes))
    fresh.restore(second.state())
    assert "preference" not in fresh.state(), "it is used once"


def test_a_state_is_a_copy(models: dict[str, LandmarkModel]) -> None:
    tracker = FaceTracker(
        models["parts"], CountingDetector(), parameters=replace(FitParameters(), template_tracking=True)
    )
    tracker.track(FACE)
    state = tracker.state()
    assert all(type(array) is np.ndarray for array in state.values())
    kept = {name: array.copy() for name, array in state.items()}
    tracker.track(VIDEO[2])
    other = FaceTracker(models["parts"], CountingDetector(), parameters=tracker.parameters)
    other.restore(state)
    for array in state.values():
        array[...] = 0
    for name, array in other.state().items():
        np.testing.assert_array_equal(array, kept[name])


def broken(state: State) -> dict[str, tuple[State, type[Exception]]]:
    """States with one thing wrong each."""
    cases: dict[str, tuple[State, type[Exception]]] = {}
    for name, array in state.items():
        cases[f"{name} is missing"] = ({n: a for n, a in state.items() if n != name}, KeyError)
        cases[f"{name} has another shape"] = (state | {name: np.zeros((2, 3, 1), array.dtype)}, ValueError)
        cases[f"{name} has another type"] = (state | {name: array.astype(np.complex64)}, ValueError)
        cases[f"{name} is a list"] = (state | {name: array.tolist()}, ValueError)
        if array.dtype.kind == "f" and array.size:
            cases[f"{name} is not finite"] = (state | {name: np.full_like(array, np.nan)}, ValueError)
        if array.dtype.kind == "i" and array.size:
            cases[f"{name} is below its range"] = (state | {name: np.full_like(array, -2)}, ValueError)
            cases[f"{name} is absurd"] = (state | {name: np.full_like(array, 2**62)}, ValueError)
        cases[f"{name} occurs twice"] = (state | {name + "x": array}, ValueError)
    return cases


def test_a_state_that_does_not_fit_is_refused_and_changes_nothing(models: dict[str, LandmarkModel]) -> None:
    parameters = replace(FitParameters(), template_tracking=True)
    tracker = FaceTracker(models["parts"], CountingDetector(), parameters=parameters)
    tracker.track(FACE)
    tracker.prefer(3, 4)
    state = tracker.state()
    assert {"template.pixels", "preference", "fit.parts.0.landmarks"} <= state.keys()
    optional = {"preference is missing"}
    for name, (wrong, error) in broken(state).items():
        if name in optional:
            continue
        entry = name.split()[0]
        with pytest.raises(error, match=entry.rsplit("x", 1)[0]):
            tracker.restore(wrong)
        for key, array in tracker.state().items():
            np.testing.assert_array_equal(array, state[key], err_msg=name)


def test_a_state_of_another_model_is_refused(models: dict[str, LandmarkModel]) -> None:
    dots = FaceTracker(model(), SceneDetector())
    for a, b in [("cen", "parts"), ("parts", "cen")]:
        with pytest.raises((KeyError, ValueError), match="parts"):
            FaceTracker(models[a], CountingDetector()).restore(
                FaceTracker(models[b], CountingDetector()).state()
            )
    with pytest.raises(ValueError, match=r"fit\.params_local"):
        dots.restore(FaceTracker(models["cen"], CountingDetector()).state())


def test_an_impossible_template_is_refused() -> None:
    good = FaceTemplate(np.ones((2, 3), np.uint8), 0.3).state()
    FaceTemplate.from_state(good)
    for wrong in ({"scale": np.array(0.0)}, {"pixels": np.ones((0, 3), np.uint8)}, {"other": np.array(1)}):
        with pytest.raises(ValueError, match=next(iter(wrong))):
            FaceTemplate.from_state(good | wrong)


def test_a_fitter_goes_on_from_its_state(models: dict[str, LandmarkModel]) -> None:
    first, second = (Fitter(models["parts"], FitParameters()) for _ in range(2))
    first.start(BOX)
    first.detect(FACE, (11, 9, 7))
    second.restore(through_a_file(first.state()))
    for fitter in (first, second):
        fitter.detect(VIDEO[2], (0, 9, 7))
    for name, array in first.state().items():
        np.testing.assert_array_equal(second.state()[name], array)
    assert isinstance(second.present, FitState)


Frames = list[list[DotFace]]
# Two faces; one is lost for good; a third comes; one passes in front of another.
SCENE: Frames = [
    *[[LEFT, RIGHT]] * 4,
    *[[LEFT]] * 14,
    *[[LEFT, DotFace(160, 180)]] * 8,
    *[[DotFace(70 + 4 * k, 70), DotFace(160, 180 - 4 * k)] for k in range(12)],
]


def track_scene(
    make: Callable[[], MultiFaceTracker], frames: Frames, stops: Sequence[int]
) -> list[list[TrackedFace]]:
    tracker, out = make(), []
    for i, faces in enumerate(frames):
        if i in stops:
            state = tracker.state()
            tracker = make()
            tracker.detector.faces = [RIGHT]
            tracker.track(drawn((RIGHT,)))
            tracker.restore(through_a_file(state))
        tracker.detector.faces = faces
        out.append(tracker.track(drawn(tuple(faces))))
    return out


@cache
def drawn(faces: tuple[DotFace, ...]) -> np.ndarray:
    return draw(list(faces))


@pytest.mark.slow
@pytest.mark.parametrize("template", [False, True])
@pytest.mark.parametrize("stable_ids", [False, True])
def test_several_faces_go_on_with_identical_bytes_and_numbers(stable_ids: bool, template: bool) -> None:
    parameters = replace(FitParameters(), template_tracking=template)

    def make() -> MultiFaceTracker:
        return MultiFaceTracker(model(), SceneDetector(), stable_ids=stable_ids, parameters=parameters)

    whole = track_scene(make, SCENE, ())
    assert {len(faces) for faces in whole} == {1, 2}
    assert any(not face.fit.valid for faces in whole for face in faces)
    if stable_ids:
        assert {face.face_id for faces in whole for face in faces} == {0, 1, 2}
    for stops in [(0,), (3, 9, 26), (5, 11, 31), (10, 17, 20), range(len(SCENE))]:
        for faces, expected in zip(track_scene(make, SCENE, stops), whole, strict=True):
            assert [face.face_id for face in faces] == [face.face_id for face in expected]
            for a, b in zip(faces, expected, strict=True):
                assert_same(a.fit, b.fit)


def test_a_state_of_other_options_is_refused_by_a_tracker_of_several_faces() -> None:
    plain = MultiFaceTracker(model(), SceneDetector())
    stable = MultiFaceTracker(model(), SceneDetector(), stable_ids=True)
    fewer = MultiFaceTracker(model(), SceneDetector(), max_faces=2)
    with pytest.raises(ValueError, match="identities"):
        plain.restore(stable.state())
    with pytest.raises(KeyError, match="identities"):
        stable.restore(plain.state())
    with pytest.raises(ValueError, match=r"slots\.2"):
        fewer.restore(plain.state())
    with pytest.raises(KeyError, match=r"slots\.2"):
        plain.restore(fewer.state())


def test_a_state_of_several_faces_that_does_not_fit_is_refused_and_changes_nothing() -> None:
    tracker = MultiFaceTracker(model(), SceneDetector(), stable_ids=True, max_faces=3)
    for faces in SCENE[:12]:
        tracker.detector.faces = faces
        tracker.track(draw(faces))
    state = tracker.state()
    assert state["slots.0.holds"]
    assert not state["slots.1.holds"]
    assert len(state["identities.lost.face_id"]) == 1
    for name, (wrong, error) in broken(state).items():
        entry = name.split()[0]
        with pytest.raises(
            error, match=r"identities\." if "identities" in entry else entry.rsplit("x", 1)[0]
        ):
            tracker.restore(wrong)
        for key, array in tracker.state().items():
            np.testing.assert_array_equal(array, state[key], err_msg=name)
    with pytest.raises(ValueError, match=r"held\.slot"):
        tracker.restore(state | {"identities.held.slot": np.array([1], np.int64)})


@pytest.mark.parametrize(
    "wrong",
    [
        {"held.slot": np.array([0, 0])},
        {"held.face_id": np.array([0, 0])},
        {"held.face_id": np.array([0, 5])},
        {"held.box": np.array([[1.0, 2, -3, 4], [1, 2, 3, 4]])},
        {"held.frame": np.array([1, 99])},
        {"next": np.array(1)},
        {"held.slot": np.array([0])},
        {"lost.face_id": np.array([0])},
        {"more": np.array(1)},
    ],
)
def test_impossible_identities_are_refused(wrong: State) -> None:
    identities = Identities()
    identities.update({0: ((10.0, 10, 50, 50), True), 1: ((200.0, 10, 50, 50), True)}, [0, 1])
    state = identities.state()
    with pytest.raises((KeyError, ValueError), match="state entry"):
        identities.restore(state | wrong)
    assert identities.state().keys() == state.keys()
    again = Identities()
    again.restore(state)
    assert again.update({0: ((12.0, 10, 50, 50), True)}, []) == {0: 0}


def test_a_preferred_point_must_be_finite(models: dict[str, LandmarkModel]) -> None:
    with pytest.raises(ValueError, match="finite"):
        FaceTracker(models["cen"], CountingDetector()).prefer(np.nan, 0)


@pytest.mark.parametrize("box", [(1e38, 0, 100, 100), (0, 0, 1e30, 1e30), (-3e38, 3e38, 1e38, 1e38)])
def test_a_tracker_sent_out_of_range_keeps_a_state_that_can_be_restored(
    models: dict[str, LandmarkModel], box: tuple[float, ...]
) -> None:
    for one in models.values():
        tracker = FaceTracker(one, CountingDetector(boxes=()))
        tracker.track(FACE, box=BOX)
        with np.errstate(all="ignore"):
            fit = tracker.track(FACE, box=box)
        assert np.isfinite(fit.landmarks).all()
        assert not fit.valid
        FaceTracker(one, CountingDetector()).restore(tracker.state())


def test_states_of_files_on_disk_need_no_pickle(tmp_path: Path, models: dict[str, LandmarkModel]) -> None:
    tracker = FaceTracker(models["parts"], CountingDetector())
    tracker.track(FACE)
    np.savez(tmp_path / "state.npz", allow_pickle=False, **tracker.state())
    with np.load(tmp_path / "state.npz", allow_pickle=False) as loaded:
        other = FaceTracker(models["parts"], CountingDetector())
        other.restore(loaded)
    assert_same(other.track(VIDEO[2]), tracker.track(VIDEO[2]))
