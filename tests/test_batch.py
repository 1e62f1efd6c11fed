"""A batch: what is done once, what is done again, who shares a baseline, and what comes back as one table."""

from __future__ import annotations

import os
import shutil

import numpy as np
import pandas as pd
import pytest
from batch_videos import journal_rows, run_command, write_videos, written

from pyfaceau import AnalysisOptions, FullPythonAUPipeline, read_results, run_batch
from pyfaceau.errors import BatchError, ManifestError


@pytest.fixture(scope="module")
def videos(tmp_path_factory):
    return write_videos(tmp_path_factory.mktemp("videos"), [14, 10, 12])


@pytest.fixture
def options(choice):
    return AnalysisOptions(**choice, threads=1)


@pytest.fixture(scope="module")
def first(videos, choice, tmp_path_factory):
    """A finished batch; copied by tests that change it."""
    output = tmp_path_factory.mktemp("first")
    summary = run_batch([videos[0].parent], output, AnalysisOptions(**choice, threads=1))
    return output, summary


def end_times(output):
    return dict(journal_rows(output, "SELECT name, ended FROM videos"))


def test_results_are_those_of_the_pipeline(first, videos, options, tmp_path):
    output, summary = first
    assert [(e.name, e.state, e.frames) for e in summary.entries] == [
        ("v00", "done", 14),
        ("v01", "done", 10),
        ("v02", "done", 12),
    ]
    assert summary.analysed == 36
    assert not summary.stopped
    pipeline = FullPythonAUPipeline.from_options(options)
    for video in videos:
        pipeline.process_video(video, tmp_path / f"{video.stem}.csv", progress=False)
    assert written(output) == written(tmp_path)


def test_finished_videos_are_left_alone(first, videos, options, tmp_path):
    output = shutil.copytree(first[0], tmp_path / "out", copy_function=shutil.copy2)
    # The copy has targets of its own, so results there are new once; then nothing is to be done.
    run_batch(videos, output, options)
    before = end_times(output)
    summary = run_batch(videos, output, options)
    assert (summary.analysed, summary.unchanged) == (0, 3)
    assert end_times(output) == before


def test_only_other_bytes_models_or_options_are_a_reason_to_analyse_again(videos, options, choice, tmp_path):
    copies = [shutil.copy(video, tmp_path / video.name) for video in videos]
    output = tmp_path / "out"
    assert run_batch(copies, output, options).analysed == 36
    os.utime(copies[0])  # another time, the same bytes
    summary = run_batch(copies, output, options)
    assert (summary.analysed, summary.unchanged) == (0, 3)
    shutil.copy(videos[2], copies[1])
    assert run_batch(copies, output, options).analysed == 12
    (output / "v00.csv").unlink()
    assert run_batch(copies, output, options).analysed == 14
    assert run_batch(copies, output, AnalysisOptions(**choice, threads=2)).analysed == 0
    assert run_batch(copies, output, AnalysisOptions(**choice, au_models="static")).analysed == 38
    other = AnalysisOptions(**choice, au_models="static", include=["aus"])
    assert run_batch(copies, output, other).analysed == 38
    assert run_batch(copies, output, other, redo=True).analysed == 38


def test_other_models_are_a_reason_to_analyse_again(videos, options, tmp_path, shared):
    models = tmp_path / "models"
    shutil.copytree(shared / "openface", models, symlinks=False)
    for path in [models, *models.rglob("*")]:
        path.chmod(0o755 if path.is_dir() else 0o644)
    mine = AnalysisOptions(models=models, landmarks="clnf", threads=1)
    assert run_batch(videos[:1], tmp_path / "out", mine).analysed == 14
    main = next(models.rglob("main_clnf_general.txt"))
    main.write_bytes(main.read_bytes() + b"\n")
    assert run_batch(videos[:1], tmp_path / "out", mine).analysed == 14
    assert run_batch(videos[:1], tmp_path / "out", mine).analysed == 0


def test_one_bad_file_stops_nobody_and_is_named(videos, choice, tmp_path):
    folder = tmp_path / "in"
    shutil.copytree(videos[0].parent, folder)
    (folder / "broken.mp4").write_bytes(b"This is no video.")
    done = run_command(choice, folder, "-o", tmp_path / "out", "--workers", 2)
    assert done.returncode == 1
    assert "4 videos: 3 done, 1 failed" in done.stdout
    assert f"{folder / 'broken.mp4'}: failed: " in done.stdout
    assert f"pyfaceau: error: {folder / 'broken.mp4'}: not a video that can be decoded" in done.stderr
    assert "Traceback" not in done.stderr
    assert {*written(tmp_path / "out")} == {f"v0{n}.csv{s}" for n in range(3) for s in ("", ".json")}
    (folder / "broken.mp4").unlink()
    again = run_command(choice, folder, "-o", tmp_path / "out")
    assert again.returncode == 0
    assert "3 videos: 3 done (3 of them before)" in again.stdout


def test_videos_of_one_person_are_one_recording(videos, options, tmp_path):
    manifest = tmp_path / "list.csv"
    manifest.write_text(
        f"path,person,group\n{videos[1]},Ann,control\n{videos[0]},Bob,patient\n{videos[2]},Ann,control\n"
    )
    run_batch(manifest, tmp_path / "out", options)
    pipeline = FullPythonAUPipeline.from_options(options)
    expected = tmp_path / "expected"
    targets = [expected / "v01.csv", expected / "v02.csv"]
    pipeline.process_videos([videos[1], videos[2]], targets, progress=False, same_person=True)
    found = written(tmp_path / "out")
    for name, content in written(expected).items():
        assert found[name] == content
    table = read_results(tmp_path / "out")
    assert table.index.names == ["video", "row"]
    assert [*table.index.unique("video")] == ["v01", "v00", "v02"]
    assert len(table) == 36
    groups = table.groupby("video", sort=False, observed=True)[["person", "group"]].first()
    assert groups.to_dict("index") == {
        "v01": {"person": "Ann", "group": "control"},
        "v00": {"person": "Bob", "group": "patient"},
        "v02": {"person": "Ann", "group": "control"},
    }
    stored = pd.read_csv(tmp_path / "out" / "v00.csv")
    np.testing.assert_array_equal(table.loc["v00", stored.columns].to_numpy(float), stored.to_numpy(float))
    some = read_results(tmp_path / "out", columns=["timestamp", "AU12_r"])
    assert [*some.columns] == ["timestamp", "AU12_r", "person", "group"]


@pytest.mark.parametrize("neutral", ["recording", "frames"])
def test_neutral_of_the_manifest_is_the_baseline(videos, options, tmp_path, neutral):
    manifest = tmp_path / "list.csv"
    value, baseline = (videos[1], videos[1]) if neutral == "recording" else ("2-8", (2, 8))
    manifest.write_text(f"path;neutral\n{videos[0]};{value}\n", encoding="utf-8-sig")
    run_batch(manifest, tmp_path / "out", options)
    expected = tmp_path / "expected" / "v00.csv"
    pipeline = FullPythonAUPipeline.from_options(options)
    pipeline.process_video(videos[0], expected, progress=False, baseline=baseline)
    assert written(tmp_path / "out") == written(tmp_path / "expected")


def test_person_with_a_bad_file_keeps_the_others(videos, options, tmp_path):
    broken = tmp_path / "broken.avi"
    broken.write_bytes(b"nothing")
    manifest = tmp_path / "list.csv"
    manifest.write_text(f"path,person\n{videos[0]},Ann\n{broken},Ann\n{videos[2]},Ann\n")
    summary = run_batch(manifest, tmp_path / "out", options)
    assert [entry.state for entry in summary.entries] == ["done", "failed", "done"]
    expected = tmp_path / "expected"
    targets = [expected / "v00.csv", expected / "v02.csv"]
    FullPythonAUPipeline.from_options(options).process_videos(
        [videos[0], videos[2]], targets, progress=False, same_person=True
    )
    assert written(tmp_path / "out") == written(expected)
    assert run_batch(manifest, tmp_path / "out", options).analysed == 0
    shutil.copy(videos[1], broken)
    assert run_batch(manifest, tmp_path / "out", options).analysed == 36


def test_parquet_and_openface_formats(videos, choice, tmp_path):
    done = run_command(choice, videos[1], "-o", tmp_path / "p", "--format", "parquet", "-q")
    assert done.returncode == 0, done.stderr
    done = run_command(
        choice, videos[1], "-o", tmp_path / "o", "--format", "openface", "--include", "aus", "-q"
    )
    assert done.returncode == 0, done.stderr
    assert {*written(tmp_path / "p")} == {"v01.parquet"}
    exact, digits = read_results(tmp_path / "p"), read_results(tmp_path / "o")
    assert [*digits.columns[:5]] == ["frame", "face_id", "timestamp", "confidence", "success"]
    np.testing.assert_allclose(digits["AU12_r"], exact["AU12_r"], atol=0.006)


def test_a_frame_limit_holds_after_resuming(videos, options, tmp_path):
    calls = []
    stopped = run_batch(
        videos[:1],
        tmp_path / "out",
        options,
        max_frames=9,
        checkpoint_s=1e-3,
        report=lambda progress, ended: calls.append(progress.frames),
        stop=lambda: len(calls) > 1,
    )
    summary = run_batch(videos[:1], tmp_path / "out", options, max_frames=9)
    assert summary.entries[0].frames == 9
    assert stopped.analysed + summary.analysed == 9


def test_two_batches_do_not_share_a_folder(videos, options, tmp_path):
    from pyclnf._lock import exclusive

    with (
        exclusive(tmp_path / "out" / ".pyfaceau" / "lock"),
        pytest.raises(BatchError, match="another batch is at work"),
    ):
        run_batch(videos, tmp_path / "out", options)


def test_results_of_no_batch_are_refused(tmp_path):
    with pytest.raises(BatchError, match="not the output folder of a batch"):
        read_results(tmp_path)
    (tmp_path / ".pyfaceau").mkdir()
    (tmp_path / ".pyfaceau" / "journal.sqlite").write_bytes(b"no database" * 1000)
    with pytest.raises(BatchError, match="the journal is damaged"):
        read_results(tmp_path)
    with pytest.raises(BatchError, match="the journal is damaged"):
        run_batch(__file__, tmp_path)  # any file will do: the journal comes first


def test_options_that_cannot_be_are_refused(videos, options, choice, tmp_path):
    with pytest.raises(ValueError, match="at least 1"):
        run_batch(videos, tmp_path / "out", options, workers=0)
    with pytest.raises(ValueError, match="format must be"):
        run_batch(videos, tmp_path / "out", options, format="xlsx")
    manifest = tmp_path / "list.csv"
    manifest.write_text(f"path,person\n{videos[0]},Ann\n{videos[1]},Ann\n")
    with pytest.raises(BatchError, match="need max_faces=1"):
        run_batch(manifest, tmp_path / "out", AnalysisOptions(**choice, max_faces=2))
    with pytest.raises(ManifestError, match="no such file"):
        run_batch(tmp_path / "nowhere", tmp_path / "out", options)
    assert run_command(choice, videos[0], "-o", tmp_path / "out", "--format", "xlsx").returncode == 2
