"""What the pipeline does with real frames, whatever models this machine has."""

from __future__ import annotations

from itertools import islice
from pathlib import Path

import cv2
import numpy as np
import pandas as pd
import pytest

import pyfaceau.demo
from pyfaceau import FullPythonAUPipeline
from pyfaceau.errors import ProcessingError
from pyfaceau.video import open_video

CLIP = Path(pyfaceau.demo.__file__).parent / "data" / "demo.mp4"
N = 36


@pytest.fixture(scope="module")
def frames():
    """Frames of the demo clip in which the face moves."""
    with open_video(CLIP) as source:
        return [frame.image for frame in islice(source, 20, 20 + N)]


@pytest.fixture(scope="module")
def folders(frames, tmp_path_factory):
    """The frames as one folder of images, and cut into two."""
    root = tmp_path_factory.mktemp("frames")
    for name, part in {"all": frames, "one": frames[:15], "two": frames[15:]}.items():
        (root / name).mkdir()
        for number, image in enumerate(part):
            cv2.imwrite(str(root / name / f"{number:03d}.png"), image)
    return root


@pytest.fixture(scope="module")
def whole(pipeline, folders) -> pd.DataFrame:
    return pipeline.process_video(folders / "all", progress=False)


def values(table: pd.DataFrame) -> np.ndarray:
    return table.drop(columns=["frame", "timestamp"]).to_numpy(np.float64)


def test_face_is_tracked_in_every_frame(whole):
    assert whole["success"].all()
    assert (whole["confidence"] > 0.5).all()
    assert np.isfinite(values(whole)).all()


def test_frames_of_an_iterable_give_what_the_folder_gives(pipeline, frames, whole):
    table = pipeline.process_frames(iter(frames), fps=25.0)
    np.testing.assert_array_equal(values(table), values(whole))
    np.testing.assert_allclose(table["timestamp"], np.arange(N) / 25.0)


def test_threads_do_not_change_the_result(choice, folders, whole):
    table = FullPythonAUPipeline(**choice, threads=2).process_video(folders / "all", progress=False)
    np.testing.assert_array_equal(values(table), values(whole))


def test_two_files_of_one_person_give_what_one_file_gives(pipeline, folders, whole):
    tables = pipeline.process_videos([folders / "one", folders / "two"], progress=False, same_person=True)
    assert [len(table) for table in tables] == [15, N - 15]
    np.testing.assert_array_equal(np.vstack([values(table) for table in tables]), values(whole))
    assert tables[1].attrs["same_person"] == ["one", "two"]


def test_part_of_a_second_file_that_fails_has_its_own_action_units(pipeline, folders, whole, tmp_path):
    for file in sorted((folders / "two").iterdir())[:6]:
        (tmp_path / file.name).write_bytes(file.read_bytes())
    (tmp_path / "006.png").write_bytes(b"no image")
    with pytest.raises(ProcessingError) as failure:
        pipeline.process_videos([folders / "one", tmp_path], progress=False, same_person=True)
    partial = failure.value.partial
    joined = pipeline.process_frames(
        [cv2.imread(str(file)) for file in sorted((folders / "all").iterdir())[:21]], fps=25.0
    )
    np.testing.assert_array_equal(values(partial), values(joined)[15:])


def test_two_files_alone_know_nothing_of_each_other(pipeline, folders):
    alone = pipeline.process_video(folders / "two", progress=False)
    after = pipeline.process_videos([folders / "one", folders / "two"], progress=False)[1]
    np.testing.assert_array_equal(values(alone), values(after))


def test_neutral_frames_and_a_neutral_clip_of_them_are_the_same_baseline(pipeline, folders):
    within = pipeline.process_video(folders / "all", progress=False, baseline=(1, 15))
    clip = pipeline.process_video(folders / "all", progress=False, baseline=folders / "one")
    np.testing.assert_allclose(values(within), values(clip), atol=1e-9)
    assert clip.attrs["baseline"] == {"source": "one", "learnt_for_faces": []}


def test_neutral_frames_change_the_baseline(pipeline, folders, whole):
    table = pipeline.process_video(folders / "all", progress=False, baseline=(1, 5))
    aus = [name for name in table if name.endswith("_r")]
    assert not np.allclose(table[aus], whole[aus])


def test_both_sets_of_action_units_in_one_pass(choice, folders, whole):
    both = FullPythonAUPipeline(**choice, au_models="both").process_video(folders / "all", progress=False)
    static = FullPythonAUPipeline(**choice, au_models="static").process_video(folders / "all", progress=False)
    aus = [name for name in whole if name.startswith("AU")]
    np.testing.assert_allclose(both[aus].astype(float), whole[aus].astype(float), atol=1e-9)
    of_static = both[[f"{name}_static" for name in aus]].astype(float)
    np.testing.assert_allclose(of_static, static[aus].astype(float), atol=1e-9)


def test_unknown_choices_are_refused(choice):
    with pytest.raises(ValueError, match="au_models must be one of dynamic, static, both"):
        FullPythonAUPipeline(**choice, au_models="most")
    with pytest.raises(ValueError, match="at least 1"):
        FullPythonAUPipeline(**choice, threads=0)


def test_openface_columns_and_number_formats(pipeline, folders, tmp_path):
    table = pipeline.process_video(
        folders / "one", tmp_path / "out.csv", progress=False, include="openface", max_frames=3
    )
    assert table.shape == (3, 714)
    header, first, *_ = (tmp_path / "out.csv").read_text().splitlines()
    assert header.startswith("frame, face_id, timestamp, confidence, success, gaze_0_x, ")
    assert header.endswith("AU28_c, AU45_c")
    assert first.split(", ")[:3] == ["1", "0", "0.000"]


def test_sinks_get_every_result_with_its_image_in_order(pipeline, frames):
    class Collector:
        def __init__(self):
            self.seen, self.closed = [], False

        def write(self, result, image):
            self.seen.append((result.frame, image))

        def close(self):
            self.closed = True

    collector = Collector()
    pipeline.process_frames(frames[:8], fps=25.0, sinks=[collector])
    assert [number for number, _ in collector.seen] == list(range(1, 9))
    assert all((image == frames[number - 1]).all() for number, image in collector.seen)
    assert collector.closed


def test_process_frame_follows_the_same_face_as_process_video(pipeline, frames, whole):
    pipeline.reset()
    results = [pipeline.process_frame(frame, timestamp=i / 25) for i, frame in enumerate(frames[:10])]
    assert all(result.tracked for result in results)
    pose = np.array([result.pose for result in results])
    np.testing.assert_array_equal(pose, whole[[c for c in whole if c.startswith("pose_")]].to_numpy()[:10])
    assert set(results[0].au_intensities) == {c[:-2] for c in whole if c.endswith("_r")}


def test_stream_yields_corrected_intensities_between_0_and_5(pipeline, folders):
    results = list(pipeline.stream(folders / "all"))
    assert [result.frame for result in results] == list(range(1, N + 1))
    intensities = np.array([list(result.au_intensities.values()) for result in results])
    assert intensities.min() >= 0
    assert intensities.max() <= 5


def test_image_has_a_result_for_each_face(pipeline, frames):
    pair = np.hstack([frames[0], frames[20]])
    results = pipeline.process_image(pair)
    assert sorted(int(result.landmarks[:, 0].mean() > frames[0].shape[1]) for result in results) == [0, 1]
    assert all(0 <= value <= 5 for result in results for value in result.au_intensities.values())
    assert pipeline.process_image(np.zeros((100, 100, 3), np.uint8)) == []


def test_several_faces_keep_their_numbers(choice, frames):
    pairs = [np.hstack([a, b]) for a, b in zip(frames[:12], frames[-12:], strict=True)]
    table = FullPythonAUPipeline(**choice, max_faces=2, include=("landmarks",)).process_frames(
        pairs, fps=25.0
    )
    assert sorted(table["face_id"].unique()) == [0, 1]
    assert table.groupby("face_id").size().tolist() == [12, 12]
    side = table.groupby("face_id")["x_30"].apply(lambda x: set(x > frames[0].shape[1]))
    assert all(len(s) == 1 for s in side)


@pytest.mark.parametrize("kind", ["grey", "16-bit", "BGRA"])
def test_other_pixel_formats_give_what_bgr_gives(pipeline, frames, kind):
    image = frames[0]
    if kind == "grey":
        grey = cv2.cvtColor(image, cv2.COLOR_BGR2GRAY)
        given, plain = grey, cv2.cvtColor(grey, cv2.COLOR_GRAY2BGR)
    elif kind == "16-bit":
        given, plain = image.astype(np.uint16) * 256, image
    else:
        given, plain = cv2.cvtColor(image, cv2.COLOR_BGR2BGRA), image
    pipeline.reset()
    expected = pipeline.process_frame(plain)
    pipeline.reset()
    found = pipeline.process_frame(given)
    np.testing.assert_allclose(found.landmarks, expected.landmarks, atol=1e-4)
