"""Runs own what they do: nothing is lost, nothing is shared that should not be, and the record says what happened."""

from __future__ import annotations

import json
import pickle
import threading
import tracemalloc
from itertools import islice
from pathlib import Path

import cv2
import numpy as np
import pandas as pd
import pytest

import pyfaceau.demo
from pyfaceau import AnalysisOptions, FullPythonAUPipeline
from pyfaceau.errors import BaselineWarning, FinalPassError, ProcessingError
from pyfaceau.people import ActionUnitModels, People
from pyfaceau.video import open_video

CLIP = Path(pyfaceau.demo.__file__).parent / "data" / "demo.mp4"
N = 24


@pytest.fixture(scope="module")
def frames():
    with open_video(CLIP) as source:
        return [cv2.resize(frame.image, None, fx=0.75, fy=0.75) for frame in islice(source, 20, 20 + N)]


@pytest.fixture(scope="module")
def folder_of(tmp_path_factory):
    """Makes a folder of images."""

    def make(images) -> Path:
        folder = tmp_path_factory.mktemp("images")
        for number, image in enumerate(images):
            cv2.imwrite(str(folder / f"{number:03d}.png"), image)
        return folder

    return make


@pytest.fixture(scope="module")
def late_face(frames, folder_of):
    """Six frames without a face, then a face."""
    return folder_of([np.full_like(frames[0], 90)] * 6 + frames[:10])


def action_units(table: pd.DataFrame) -> pd.DataFrame:
    return table[[name for name in table if name.startswith("AU")]]


class Collector:
    """A sink that notes what becomes of it."""

    def __init__(self):
        self.frames, self.closed, self.discarded = [], False, False

    def write(self, result, image):
        self.frames.append(result.frame)

    def close(self):
        self.closed = True

    def discard(self):
        self.discarded = True


def test_a_caller_may_reuse_its_frame_buffer(pipeline, frames):
    def refilled():
        buffer = np.empty_like(frames[0])
        for frame in frames:
            buffer[:] = frame
            yield buffer

    expected = pipeline.process_frames(frames, fps=25.0)
    pd.testing.assert_frame_equal(pipeline.process_frames(refilled(), fps=25.0), expected)


def test_a_source_that_reuses_its_buffer_is_copied(pipeline, frames):
    class Reusing:
        name, fps, n_frames = "camera", 25.0, None

        def __iter__(self):
            from pyfaceau.video import VideoFrame

            buffer = np.empty_like(frames[0])
            for number, frame in enumerate(frames, start=1):
                buffer[:] = frame
                yield VideoFrame(number, number / 25.0, buffer)

        def close(self):
            pass

    with pipeline.run() as run:
        run.analyse(Reusing())
        found = run.finish()
    expected = pipeline.process_frames(frames, fps=25.0)
    pd.testing.assert_frame_equal(action_units(found), action_units(expected))


def test_baseline_frames_without_a_face_keep_all_rows_as_predicted(pipeline, late_face, tmp_path):
    sink = Collector()
    with (
        pytest.warns(BaselineWarning, match="1 to 5"),
        pytest.raises(FinalPassError, match="1 to 5") as caught,
    ):
        pipeline.process_video(late_face, tmp_path / "out.csv", progress=False, baseline=(1, 5), sinks=[sink])
    partial = caught.value.partial
    assert len(partial) == 16
    assert not partial.attrs["final_pass"]
    seen = partial["success"] == 1
    assert 0 < seen.sum() <= 10
    assert action_units(partial)[~seen].isna().all(axis=None)
    assert action_units(partial)[seen].notna().all(axis=None)
    assert (action_units(partial).filter(like="_r").to_numpy() < 0).any()  # as predicted: not clipped
    assert len(pd.read_csv(tmp_path / "out.partial.csv")) == 16
    assert not (tmp_path / "out.csv").exists()
    assert (sink.closed, sink.discarded) == (True, False)  # it has seen every frame
    assert len(sink.frames) == 16


@pytest.mark.parametrize("broken", ["cannot be opened", "stops half-way"])
def test_results_of_a_person_are_kept_when_the_third_file_fails(
    pipeline, frames, folder_of, tmp_path, broken
):
    files = [folder_of(frames[:8]), folder_of(frames[8:16]), folder_of(frames[16:20])]
    (files[2] / ("000.png" if broken == "cannot be opened" else "004.png")).write_bytes(b"not an image")
    outputs = [tmp_path / f"{n}.csv" for n in range(3)]
    with pytest.raises(ProcessingError, match="not an image that can be decoded") as caught:
        pipeline.process_videos(files, outputs, progress=False, same_person=True)
    assert [len(table) for table in caught.value.completed] == [8, 8]
    assert [len(pd.read_csv(path)) for path in outputs[:2]] == [8, 8]
    assert (tmp_path / "2.partial.csv").exists() == (broken == "stops half-way")
    joined = pipeline.process_frames(frames[: 16 if broken == "cannot be opened" else 20], fps=25.0)
    kept = pd.concat(
        [action_units(table) for table in [*caught.value.completed, caught.value.partial] if len(table)]
    )
    np.testing.assert_array_equal(kept, action_units(joined))


def test_results_before_a_failing_file_are_in_the_error(pipeline, frames, folder_of, tmp_path):
    good = folder_of(frames[:5])
    with pytest.raises(ProcessingError, match="no such file") as caught:
        pipeline.process_videos([good, tmp_path / "gone.mp4"], progress=False)
    assert [len(table) for table in caught.value.completed] == [5]


def test_baseline_frames_are_those_of_the_video_for_every_face(choice, frames):
    """The second face comes in frame 11; frames 1 to 10 are nobody's but the first one's."""
    away = np.full_like(frames[0], 90)
    pairs = [
        np.hstack([a, b if n >= 10 else away]) for n, (a, b) in enumerate(zip(frames, frames, strict=True))
    ]
    pipeline = FullPythonAUPipeline(**choice, max_faces=2)
    with pipeline.run(baseline=(1, 10)) as run:
        for pair in pairs[:10]:
            run.process(pair)
        with pytest.warns(BaselineWarning, match="1 to 10"):
            _ = [run.process(pair) for pair in pairs[10:]]  # faces are looked for in every eighth frame
        table = run.finish()
    alone = FullPythonAUPipeline(**choice, max_faces=2).process_frames(pairs, fps=25.0)
    second = table["face_id"] == 1
    assert second.sum() > 4
    assert table.attrs["baseline"] == {"frames": [1, 10], "learnt_for_faces": [1]}
    np.testing.assert_array_equal(action_units(table[second]), action_units(alone[second]))
    assert not np.array_equal(action_units(table[~second]), action_units(alone[~second]))


def test_a_recording_as_baseline_of_several_faces_is_refused(choice, late_face):
    with pytest.raises(ValueError, match="shows one person"):
        FullPythonAUPipeline(**choice, max_faces=2).process_video(
            late_face, progress=False, baseline=late_face
        )


@pytest.mark.parametrize("baseline", [(0, 5), (5, 1), (1, 2, 3), (1.5, 3), (True, 3)])
def test_baseline_frames_that_cannot_be_are_refused_at_once(pipeline, baseline, tmp_path):
    with pytest.raises(ValueError, match="counted from 1"):
        pipeline.process_video(tmp_path / "gone.mp4", progress=False, baseline=baseline)


def test_baseline_frames_may_be_a_list(pipeline, frames):
    with pipeline.run(baseline=[1, 5]) as run:  # as JSON has it
        assert run.baseline == (1, 5)


def test_old_names_work_and_warn(pipeline, folder_of, frames):
    folder = folder_of(frames[:6])
    with pytest.warns(DeprecationWarning, match="'neutral' is now 'baseline'"):
        old = pipeline.process_video(folder, progress=False, neutral=(1, 5))
    pd.testing.assert_frame_equal(old, pipeline.process_video(folder, progress=False, baseline=(1, 5)))
    with pytest.warns(DeprecationWarning, match="'columns' is now 'include'"):
        assert "x_0" in pipeline.process_video(folder, progress=False, columns=("landmarks",))
    with pytest.raises(TypeError, match="both 'include' and its old name"):
        pipeline.process_video(folder, progress=False, columns=("pose",), include=("pose",))


def test_newcomers_do_not_fill_the_memory(choice):
    """A hundred people, each for three frames, four at a time; a thousand may take 100 MB."""
    pipeline = FullPythonAUPipeline(**choice)
    rng = np.random.default_rng(0)
    frame = cv2.resize(rng.integers(0, 256, (24, 32, 3), np.uint8), (320, 240), interpolation=cv2.INTER_CUBIC)
    box = np.array([100, 60, 120, 120], np.float32)
    shape = pipeline.engine.landmark_model.pdm.params_from_box(box)
    landmarks = pipeline.engine.landmark_model.pdm.project(
        shape, np.zeros(pipeline.engine.landmark_model.pdm.n_modes)
    )
    people = People(pipeline.engine.action_units)
    tracemalloc.start()
    try:
        for generation in range(25):
            faces = range(4 * generation, 4 * generation + 4)
            for _ in range(3):
                for face in faces:
                    people.analyser(face).process(frame, landmarks, True)
            # The last generation may come back for a while.
            people.settle([], range(4 * generation - 4, 4 * generation + 4))
            if generation == 4:
                start, _ = tracemalloc.get_traced_memory()
                tracemalloc.reset_peak()
        end, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert end - start < 10e6
    rows = np.repeat(np.arange(100), 3)
    assert np.isfinite(people.finish([rows]).intensities[0]).all()


def test_somebody_who_comes_back_goes_on_where_they_left(choice, frames):
    pipeline = FullPythonAUPipeline(**choice)
    models: ActionUnitModels = pipeline.engine.action_units
    fits = [pipeline.process_frame(frame).fit for frame in frames]
    staying, leaving = People(models), People(models)
    for number, (frame, fit) in enumerate(zip(frames, fits, strict=True)):
        for people in (staying, leaving):
            people.analyser(7).process(frame, fit.landmarks, True)
        if number % 3 == 0:
            leaving.settle([], [7])
    rows = [np.full(N, 7)]
    np.testing.assert_array_equal(leaving.finish(rows)[0], staying.finish(rows)[0])
    leaving.settle([], [])  # gone for good
    np.testing.assert_array_equal(leaving.finish(rows)[0], staying.finish(rows)[0])


@pytest.mark.parametrize("mode", ["live", "frames"])
def test_endless_runs_keep_no_history(pipeline, frames, mode):
    with pipeline.run(mode=mode) as run:
        for _ in range(3):
            for frame in frames:
                run.process(frame)
        state = run.people.state()
        kept = {name: array.size for name, array in state.items() if name.startswith("face.0.")}
    rows = ("intensities", "presences", "valid", "projections")
    assert all(kept[f"face.0.{name}.rows"] == 0 for name in rows)
    with pytest.raises(ValueError, match="this run is over"):
        run.finish()


def test_two_runs_of_one_pipeline_in_two_threads(pipeline, frames):
    expected = [pipeline.process_frames(part, fps=25.0) for part in (frames, frames[::-1])]
    found: list = [None, None]

    def work(index: int) -> None:
        found[index] = pipeline.process_frames((frames, frames[::-1])[index], fps=25.0)

    threads = [threading.Thread(target=work, args=(index,)) for index in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for mine, its in zip(found, expected, strict=True):
        pd.testing.assert_frame_equal(mine, its)


def test_process_frame_is_not_disturbed_by_other_runs(pipeline, frames):
    pipeline.reset()
    alone = [pipeline.process_frame(frame).au_intensities for frame in frames[:6]]
    pipeline.reset()
    first = [pipeline.process_frame(frame).au_intensities for frame in frames[:3]]
    pipeline.process_frames(frames[10:], fps=25.0)
    assert first + [pipeline.process_frame(frame).au_intensities for frame in frames[3:6]] == alone


def test_pipeline_can_be_pickled(choice, frames):
    pipeline = FullPythonAUPipeline(**choice, max_faces=2, include=("pose",))
    copy = pickle.loads(pickle.dumps(pipeline))
    assert copy.options == pipeline.options
    pd.testing.assert_frame_equal(
        copy.process_frames(frames[:4], fps=25.0), pipeline.process_frames(frames[:4], fps=25.0)
    )


def test_run_that_is_left_without_an_end_discards_its_files(pipeline, frames):
    sink = Collector()
    with pipeline.run(sinks=[sink]) as run:
        run.process(frames[0])
    assert (sink.closed, sink.discarded) == (False, True)


def test_record_names_everything_that_numbers_depend_on(pipeline, frames, folder_of):
    table = pipeline.process_video(folder_of(frames[:3]), progress=False)
    record = json.loads(json.dumps(table.attrs))
    assert set(record["versions"]) >= {"pyfaceau", "pyclnf", "pymtcnn", "pyfhog", "numpy", "opencv", "python"}
    assert record["versions"]["av.libavcodec"]
    assert set(record["instruction_sets"]) == {"pyclnf", "pymtcnn"}
    assert record["options"]["wild"] is False
    assert record["camera"]["guessed"] == ["fx", "fy", "cx", "cy"]
    assert record["decoder"]["reader"] == "images"
    assert record["final_pass"] is True
    assert all(not Path(name).is_absolute() for name in record["model_sha256"])
    assert str(Path.home()) not in json.dumps(record)
    assert CLIP.parent.name not in record["source"]


def test_video_names_its_decoder(pipeline):
    with open_video(CLIP) as source:
        assert source.decoder["reader"] == "PyAV"
        assert source.decoder["avcodec"]
        assert source.decoder["codec"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"au_models": "most"}, "au_models must be one of dynamic, static, both"),
        ({"threads": 0}, "threads must be a whole number, at least 1"),
        ({"max_faces": 2.5}, "max_faces must be a whole number"),
        ({"fx": -1.0}, "fx is in px and positive"),
        ({"cy": float("nan")}, "cy is in px and finite"),
        ({"include": ("aus", "smile")}, "groups of columns are"),
        ({"include": "aus"}, "include is 'openface' or a collection"),
    ],
)
def test_options_are_checked_when_they_are_made(arguments, message):
    with pytest.raises(ValueError, match=message):
        AnalysisOptions(**arguments)


def test_options_cannot_be_changed():
    with pytest.raises(AttributeError):
        AnalysisOptions().wild = True
