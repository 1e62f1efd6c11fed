"""Several faces in a video: who is tracked when, under which number, and agreement with the C++ reference."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from dot_faces import SIZE, DotFace, SceneDetector, draw, model
from gold_tracks import MARGIN, Apart, apart, builds_apart, read_tracks

from pyclnf import FaceTracker
from pyclnf.multi import MultiFaceTracker, TrackedFace

LEFT, RIGHT, LOW = DotFace(70, 70), DotFace(250, 70), DotFace(160, 180)


class Scene:
    """A tracker, its detector, and the frames they are shown."""

    def __init__(self, **options) -> None:
        self.detector = SceneDetector()
        self.tracker = MultiFaceTracker(model(), self.detector, **options)

    def show(self, *faces: DotFace, found: list[DotFace] | None = None) -> list[TrackedFace]:
        """Track a frame with these faces, the last in front. `found`: which can be detected, else all."""
        self.detector.faces = list(faces) if found is None else found
        return self.tracker.track(draw(list(faces)))

    def show_often(self, times: int, *faces: DotFace) -> list[TrackedFace]:
        return [self.show(*faces) for _ in range(times)][-1]


def centres(faces: list[TrackedFace]) -> dict[int, tuple[float, float]]:
    return {face.face_id: tuple(face.fit.landmarks.mean(axis=0)) for face in faces}


def ids(faces: list[TrackedFace]) -> list[int]:
    return [face.face_id for face in faces]


def shows(face: TrackedFace, expected: DotFace, tolerance: float = 3.0) -> bool:
    return bool(np.abs(face.fit.landmarks - expected.landmarks).max() < tolerance)


def test_each_detected_face_starts_a_tracker_in_the_order_of_detection():
    faces = Scene().show(RIGHT, LEFT, LOW)
    assert ids(faces) == [0, 1, 2]
    assert all(face.fit.valid for face in faces)
    assert all(shows(face, expected) for face, expected in zip(faces, (RIGHT, LEFT, LOW), strict=True))


def test_faces_are_followed_without_detection():
    scene = Scene()
    scene.show(LEFT, RIGHT)
    for step in range(1, 25):
        left, right = DotFace(70 + 2 * step, 70), DotFace(250, 70 + 2 * step)
        faces = scene.show(left, right, found=[])
    assert ids(faces) == [0, 1]
    assert shows(faces[0], left)
    assert shows(faces[1], right)


def test_faces_are_looked_for_in_every_eighth_frame_while_a_tracker_is_free():
    scene = Scene()
    asked = []
    for frame in range(1, 26):
        before = scene.detector.calls
        scene.show(LEFT)
        asked += [frame] * (scene.detector.calls - before)
    assert asked == [1, 9, 17, 25]


def test_no_face_is_looked_for_while_every_tracker_is_busy():
    scene = Scene(max_faces=2)
    scene.show_often(17, LEFT, RIGHT)
    assert scene.detector.calls == 1


def test_newcomer_waits_for_the_next_search():
    scene = Scene()
    scene.show(LEFT)
    assert ids(scene.show_often(7, LEFT, RIGHT)) == [0]
    assert ids(scene.show(LEFT, RIGHT)) == [0, 1]


def test_surplus_faces_wait_until_a_tracker_is_free():
    scene = Scene(max_faces=2)
    assert ids(scene.show(LEFT, RIGHT, LOW)) == [0, 1]
    scene.show_often(7, LEFT, RIGHT, LOW)
    faces = scene.show_often(16, RIGHT, LOW)
    assert ids(faces) == [0, 1]
    assert shows(faces[0], LOW)
    assert shows(faces[1], RIGHT)


def test_tracked_face_does_not_get_a_second_tracker():
    scene = Scene()
    scene.show(LEFT)
    shifted = DotFace(LEFT.x + 20, LEFT.y)  # boxes of 57 to 60 px: 0.48 of the union is shared
    for _ in range(16):
        faces = scene.show(LEFT, found=[shifted])
    assert ids(faces) == [0]


def test_detection_that_overlaps_by_less_than_a_third_is_another_face():
    scene = Scene()
    scene.show(LEFT)
    apart = DotFace(LEFT.x + 34, LEFT.y)  # 0.26 of the union is shared
    for _ in range(8):
        faces = scene.show(LEFT, found=[apart])
    assert ids(faces) == [0, 1]


def test_lost_face_is_reported_as_failed_six_times_and_then_no_more():
    scene = Scene()
    scene.show_often(3, LEFT, RIGHT)
    lost = [scene.show(LEFT) for _ in range(7)]
    assert [ids(faces) for faces in lost] == [[0, 1]] * 6 + [[0]]
    assert not any(faces[1].fit.valid for faces in lost[:6])
    assert all(faces[0].fit.valid for faces in lost)


def test_good_frame_between_failures_starts_their_count_anew():
    scene = Scene()
    scene.show(LEFT)
    for _ in range(3):
        assert ids(scene.show_often(5)) == [0]
        assert scene.show(LEFT, found=[])[0].fit.valid


def test_tracker_that_is_freed_in_a_search_frame_takes_a_face_at_once():
    scene = Scene(max_faces=1)
    scene.show_often(10, LEFT)
    scene.show_often(6, RIGHT)  # frames 11 to 16
    # In frame 17 every tracker still holds a face when the search is decided on, so there is none.
    assert scene.show(RIGHT) == []
    scene.show_often(7, RIGHT)
    assert shows(scene.show(RIGHT)[0], RIGHT)

    scene = Scene(max_faces=2)
    scene.show_often(10, LEFT)
    scene.show_often(6, RIGHT)
    faces = scene.show(RIGHT)
    assert ids(faces) == [0]
    assert shows(faces[0], RIGHT)


def test_freed_number_goes_to_the_next_newcomer():
    scene = Scene()
    scene.show(LEFT, RIGHT)
    scene.show_often(8, RIGHT)
    faces = scene.show_often(8, RIGHT, LOW)
    assert ids(faces) == [0, 1]
    assert shows(faces[0], LOW)


def test_every_face_is_fitted_as_if_it_were_alone():
    scene = Scene()
    alone = [FaceTracker(scene.tracker.model, scene.detector) for _ in range(2)]
    for step in range(12):
        faces = [DotFace(70 + step, 70), DotFace(250, 70 + step)]
        together = scene.show(*faces)
        for tracker, face, tracked in zip(alone, faces, together, strict=True):
            fit = tracker.track(draw(faces), face.box if step == 0 else None)
            np.testing.assert_array_equal(tracked.fit.landmarks, fit.landmarks)
            np.testing.assert_array_equal(tracked.fit.params_local, fit.params_local)


def test_colour_and_grey_frames_give_the_same_faces():
    grey, colour = Scene(), Scene()
    grey.detector.faces = colour.detector.faces = [LEFT, RIGHT]
    for step in range(3):
        image = draw([DotFace(70 + step, 70), RIGHT])
        expected = grey.tracker.track(image)
        found = colour.tracker.track(np.repeat(image[..., None], 3, axis=2))
        for a, b in zip(expected, found, strict=True):
            np.testing.assert_array_equal(a.fit.landmarks, b.fit.landmarks)


@pytest.mark.parametrize("stable_ids", [False, True])
def test_reset_tracker_repeats_itself(stable_ids):
    scene = Scene(stable_ids=stable_ids)

    def run() -> list[dict[int, tuple[float, float]]]:
        frames = [scene.show(LEFT, DotFace(250 - 2 * step, 70)) for step in range(10)]
        return [centres(faces) for faces in (*frames, scene.show(RIGHT))]

    first = run()
    scene.tracker.reset()
    assert run() == first


def test_frame_without_faces_is_empty():
    assert Scene().show() == []


def test_no_faces_at_most_is_refused():
    with pytest.raises(ValueError, match="max_faces must be at least 1"):
        MultiFaceTracker(model(), SceneDetector(), max_faces=0)


def test_frame_of_a_wrong_type_is_refused():
    with pytest.raises(TypeError):
        MultiFaceTracker(model(), SceneDetector()).track(np.zeros(SIZE, np.float64))


def test_stable_number_is_not_given_to_a_newcomer():
    scene = Scene(stable_ids=True)
    scene.show(LEFT, RIGHT)
    scene.show_often(8, RIGHT)
    assert ids(scene.show_often(8, RIGHT, LOW)) == [2, 1]


def test_stable_number_is_kept_through_a_short_loss():
    scene = Scene(stable_ids=True)
    scene.show(LEFT, RIGHT)
    scene.show_often(8, RIGHT)
    faces = scene.show_often(8, RIGHT, DotFace(LEFT.x + 15, LEFT.y))
    assert sorted(ids(faces)) == [0, 1]
    assert shows(next(face for face in faces if face.face_id == 0), DotFace(LEFT.x + 15, LEFT.y))


@pytest.mark.slow
def test_stable_numbers_survive_one_face_passing_in_front_of_another():
    """The tracker of the hidden face follows the one in front, and must not take the number along."""
    scene = Scene(stable_ids=True)
    reference = Scene()
    still = DotFace(160, 100)
    for x in range(60, 264, 3):
        passing = DotFace(x, 105)
        hidden = abs(x - still.x) < 60
        found = [passing] if hidden else [still, passing]
        faces = scene.show(still, passing, found=found)
        plain = reference.show(still, passing, found=found)
    assert scene.detector.calls > 1
    assert sorted(ids(faces)) == [0, 1]
    assert centres(faces)[0] == pytest.approx((still.x, still.y), abs=4)
    assert centres(faces)[1] == pytest.approx((passing.x, passing.y), abs=4)
    # As a check of the test: without stable numbers both trackers end up on the face in front.
    assert centres(plain)[0] == pytest.approx((passing.x, passing.y), abs=4)


@pytest.fixture(scope="module")
def against_reference(shared: Path, openface: Path) -> Apart:
    """FaceLandmarkVidMulti on three people, two of whom are lost and found again time after time."""
    cv2 = pytest.importorskip("cv2")
    pytest.importorskip("pymtcnn")
    expected = read_tracks(shared / "gold/cli/FaceLandmarkVidMulti_clnf_multi_face.csv.gz")
    tracker = MultiFaceTracker(openface / "LandmarkDetector/model/main_clnf_general.txt")
    capture = cv2.VideoCapture(str(shared / "media/multi_face.avi"))
    found = {}
    for frame in range(1, max(expected) + 1):
        read, image = capture.read()
        assert read
        found[frame] = {face.face_id: (face.fit.valid, face.fit.landmarks) for face in tracker.track(image)}
    assert not capture.read()[0]
    return apart(found, expected)


@pytest.mark.parity
def test_tracks_are_the_references_until_a_face_of_two_builds_is_a_pixel_apart(against_reference: Apart):
    builds = builds_apart()
    assert against_reference.parted >= min(pair.pixel for pair in builds)
    assert against_reference.calm <= MARGIN * max(pair.calm for pair in builds)


@pytest.mark.parity
@pytest.mark.parametrize(
    "figure", ["other_ids", "other_count", "other_success", "other_rows", "median", "mean"]
)
def test_tracks_differ_from_the_references_as_its_builds_differ(against_reference: Apart, figure: str):
    found, builds = getattr(against_reference, figure), [getattr(pair, figure) for pair in builds_apart()]
    assert found <= MARGIN * max(builds)
