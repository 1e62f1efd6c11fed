"""The record beside a result: the same on every machine, complete, and plain about what is partial."""

from __future__ import annotations

import json
import shutil

import numpy as np
import pytest

from pyfaceau import AnalysisOptions, FullPythonAUPipeline, ProcessingError
from pyfaceau.demo import DEMO_CLIP

pytestmark = pytest.mark.filterwarnings("ignore::pyfaceau.errors.ShortSequenceWarning")
FRAMES = 4


@pytest.fixture(scope="module")
def pipeline() -> FullPythonAUPipeline:
    return FullPythonAUPipeline(models="open")


def record_of(path) -> dict:
    return json.loads(path.with_name(path.name + ".json").read_text())


def texts(value) -> list[str]:
    """Every key and every string of a record."""
    if isinstance(value, dict):
        return [text for key, inner in value.items() for text in [key, *texts(inner)]]
    if isinstance(value, list):
        return [text for inner in value for text in texts(inner)]
    return [value] if isinstance(value, str) else []


def test_records_hold_names_and_no_paths_of_a_machine(pipeline, tmp_path):
    shutil.copy(DEMO_CLIP, tmp_path / "clip.mp4")
    pipeline.process_video(tmp_path / "clip.mp4", tmp_path / "o.csv", FRAMES, progress=False)
    record = record_of(tmp_path / "o.csv")
    assert record["source"] == "clip.mp4"
    assert record["max_frames"] == FRAMES
    assert not [text for text in texts(record) if text.startswith(("/", "~")) or str(tmp_path) in text]


def test_options_that_name_files_are_recorded_by_name(tmp_path):
    options = AnalysisOptions(
        models=f"{tmp_path}/models/", landmarks=tmp_path / "main_x.txt", detector=f"yunet:{tmp_path}/y.onnx"
    )
    recorded = options.as_dict()
    assert [recorded[name] for name in ("models", "landmarks", "detector")] == [
        "models",
        "main_x.txt",
        "yunet:y.onnx",
    ]


def test_records_say_what_numbers_depend_on(pipeline, tmp_path):
    pipeline.process_video(DEMO_CLIP, tmp_path / "o.csv", FRAMES, progress=False)
    record = record_of(tmp_path / "o.csv")
    assert {"pyfaceau", "pyclnf", "pymtcnn", "pyfhog", "numpy", "opencv", "python", "platform"} <= set(
        record["versions"]
    )
    assert {"pyclnf", "pymtcnn", "pyfhog", "pyfaceau"} == set(record["instruction_sets"])
    assert record["decoder"]["reader"]
    assert {"sha256_PNet", "sha256_RNet", "sha256_ONet"} <= set(record["detector"])
    assert all(len(digest) == 64 for digest in record["model_sha256"].values())


def test_complete_results_are_marked(pipeline, tmp_path):
    pipeline.process_video(DEMO_CLIP, tmp_path / "o.csv", FRAMES, progress=False)
    assert record_of(tmp_path / "o.csv")["complete"] is True


def test_partial_results_are_marked(pipeline, tmp_path):
    def stop(done: int, total: int | None) -> None:
        if done == FRAMES:
            raise RuntimeError("stopped")

    with pytest.raises(ProcessingError) as failure:
        pipeline.process_video(DEMO_CLIP, tmp_path / "o.csv", progress=stop)
    assert failure.value.partial.attrs["complete"] is False
    assert record_of(tmp_path / "o.partial.csv")["complete"] is False
    assert not (tmp_path / "o.csv").exists()


def test_tables_of_a_run_that_goes_on_are_partial(pipeline):
    with pipeline.run() as run:
        run.process(np.full((120, 160, 3), 90, np.uint8))
        assert run.tables()[0][0].attrs["complete"] is False
        assert run.finish().attrs["complete"] is True
