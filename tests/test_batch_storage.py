"""What a batch does when its disk is full or read-only, and with checkpoints that are damaged or not its own."""

from __future__ import annotations

import logging
import os
import shutil
import socket
import sqlite3
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from batch_videos import write_videos, written

from pyfaceau import AnalysisOptions, FullPythonAUPipeline, run_batch
from pyfaceau.batch.attempt import Attempt
from pyfaceau.batch.job import Job, Setup, fingerprint, identify
from pyfaceau.batch.manifest import BatchVideo
from pyfaceau.batch.worker import analyse_job
from pyfaceau.errors import BatchError
from pyfaceau.video import open_video

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def videos(tmp_path_factory):
    return write_videos(tmp_path_factory.mktemp("videos"), [12, 30])


@pytest.fixture(scope="module")
def options(choice):
    return AnalysisOptions(**choice, threads=1)


@pytest.fixture(scope="module")
def expected(videos, options, tmp_path_factory):
    folder = tmp_path_factory.mktemp("expected")
    pipeline = FullPythonAUPipeline.from_options(options)
    for video in videos:
        pipeline.process_video(video, folder / f"{video.stem}.csv", progress=False)
    return written(folder)


@pytest.fixture
def small_disk(tmp_path):
    """A disk of 8 MB in memory."""
    disk = tmp_path / "disk"
    disk.mkdir()
    if sys.platform != "linux" or _mount(disk, "size=8m").returncode != 0:
        pytest.skip("a tmpfs cannot be mounted here (this needs Linux and the right to mount)")
    yield disk
    subprocess.run(["umount", "--lazy", disk], check=True)


def _mount(disk: Path, options: str) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(["mount", "-t", "tmpfs", "-o", options, "tmpfs", disk], capture_output=True)


def _fill(disk: Path, leave: int) -> Path:
    space = os.statvfs(disk)
    filler = disk / "filler"
    filler.write_bytes(bytes(space.f_bavail * space.f_frsize - leave))
    return filler


def test_full_disk_is_named_and_costs_nothing_that_was_done(
    small_disk, videos, options, expected, tmp_path, monkeypatch
):
    monkeypatch.setenv("TMPDIR", str(tmp_path))  # where a result that its place refuses is kept
    output = small_disk / "out"
    assert not run_batch(videos[:1], output, options).failed
    filler = _fill(small_disk, 300_000)
    summary = run_batch(videos, output, options, checkpoint_s=0.02)
    assert [entry.state for entry in summary.entries] == ["done", "failed"]
    assert "No space left on device" in summary.entries[1].why
    done = {name: content for name, content in expected.items() if name.startswith("v00")}
    assert written(output) == done
    filler.unlink()
    assert not run_batch(videos, output, options).failed
    assert written(output) == expected


def test_disk_without_room_for_the_journal_ends_the_batch_in_one_way(small_disk, videos, options, expected):
    output = small_disk / "out"
    assert not run_batch(videos[:1], output, options).failed
    filler = _fill(small_disk, 0)
    with pytest.raises(BatchError, match="is the disk full"):
        run_batch(videos, output, options)
    filler.unlink()
    assert not run_batch(videos, output, options).failed
    assert written(output) == expected


def test_folder_that_cannot_be_written_is_named_before_work_begins(small_disk, videos, choice):
    subprocess.run(["mount", "-o", "remount,ro", small_disk], check=True)
    command = [sys.executable, "-m", "pyfaceau", "batch", str(videos[0]), "-o", str(small_disk / "out")]
    command += [f"--{name}={value}" for name, value in choice.items()]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 1
    assert "Read-only file system" in done.stderr
    assert "Traceback" not in done.stderr


def _job(video: Path, folder: Path, options: AnalysisOptions) -> tuple[Job, Setup]:
    hashes = FullPythonAUPipeline.from_options(options).engine.model_hashes
    setup = Setup(options, dict(hashes), None, "auto", 0.01, "batch", None, False, ".csv")
    one = BatchVideo(str(video), video.stem)
    target = str(folder / "out" / f"{video.stem}.csv")
    return Job(str(video), (one,), (target,), {}, "", str(folder / "work")), setup


def _stopped_job(video: Path, folder: Path, options: AnalysisOptions) -> tuple[Job, Setup]:
    """A job that was stopped with a checkpoint."""
    job, setup = _job(video, folder, options)
    mark = fingerprint(job, setup, {job.key: identify(job.key, None, lambda: None)})
    attempt = Attempt(folder / "work", mark)
    with (
        attempt.run(FullPythonAUPipeline.from_options(options), "videos") as run,
        open_video(video) as source,
    ):
        run.begin(source.name, source.fps, decoder=source.decoder, rotated=0)
        run.analyse(source, max_frames=8)
        run.save(attempt.checkpoint("videos"))
    return job, setup


def test_worker_of_a_cluster_that_does_not_see_a_file_says_so(options, tmp_path):
    job, setup = _job(tmp_path / "elsewhere.mp4", tmp_path, options)
    (here,) = analyse_job(job, setup).videos
    (there,) = analyse_job(job, replace(setup, elsewhere=True)).videos
    assert (here.state, there.state) == ("failed", "failed")
    assert here.why == "No such file or directory"
    assert socket.gethostname() in there.why
    assert "a disk that all machines share" in there.why


def test_job_that_is_stopped_before_its_first_frame_goes_on(videos, options, expected, tmp_path):
    job, setup = _job(videos[1], tmp_path, options)
    assert analyse_job(job, replace(setup, go=str(tmp_path / "gone"))).state == "stopped"
    again = analyse_job(job, setup)
    assert (again.state, again.analysed) == ("ended", 30)
    assert written(tmp_path / "out") == {n: c for n, c in expected.items() if n.startswith("v01")}


def test_stopped_job_goes_on_from_its_checkpoint(videos, options, expected, tmp_path):
    job, setup = _stopped_job(videos[1], tmp_path, options)
    again = analyse_job(job, setup)
    assert again.state == "ended"
    assert again.analysed == 22
    assert written(tmp_path / "out") == {n: c for n, c in expected.items() if n.startswith("v01")}


@pytest.mark.parametrize("damage", ["cut", "rows", "about", "other"])
def test_damaged_checkpoint_costs_only_its_work(videos, options, expected, tmp_path, damage):
    job, setup = _stopped_job(videos[1], tmp_path, options)
    attempt = next((tmp_path / "work").glob("*/videos.run")).parent
    if damage == "cut":
        os.truncate(attempt / "videos.run", 1000)
    elif damage == "rows":
        shutil.rmtree(attempt / "videos-rows")
    elif damage == "about":
        (attempt / "job.json").write_text("[")
    else:
        (attempt / "job.json").write_text('{"fingerprint": "of another video", "failed": {}}')
    again = analyse_job(job, setup)
    assert again.analysed == 30
    assert written(tmp_path / "out") == {n: c for n, c in expected.items() if n.startswith("v01")}


def test_attempt_that_was_given_up_disturbs_nothing(videos, options, tmp_path):
    pipeline = FullPythonAUPipeline.from_options(options)
    lost = Attempt(tmp_path, "mark")
    with lost.run(pipeline, "videos") as run:
        with open_video(videos[1]) as frames:
            run.analyse(frames, max_frames=8)
        run.save(lost.checkpoint("videos"))
        new = Attempt(tmp_path, "mark")
        with open_video(videos[1]) as frames:  # still alive, and it even saves again
            run.analyse(frames, max_frames=20)
        run.save(lost.checkpoint("videos"))
        shutil.rmtree(lost.folder)
    with new.run(pipeline, "videos") as run, open_video(videos[1]) as frames:
        assert run.frames_done == 8
        run.analyse(frames)
        found = run.finish()
    assert found.equals(pipeline.process_video(videos[1], progress=False))


def test_worker_with_other_models_is_refused(videos, options, tmp_path):
    job, setup = _job(videos[0], tmp_path, options)
    name = sorted(setup.model_sha256)[0]
    outcome = analyse_job(job, replace(setup, model_sha256={**setup.model_sha256, name: "0" * 64}))
    assert [video.state for video in outcome.videos] == ["failed"]
    assert f"other model files than the batch ({name})" in outcome.videos[0].why
    assert not written(tmp_path)


def test_results_of_other_versions_are_told(videos, options, tmp_path, caplog):
    run_batch(videos[:1], tmp_path, options)
    assert not caplog.records
    connection = sqlite3.connect(tmp_path / ".pyfaceau" / "journal.sqlite")
    connection.execute("UPDATE videos SET made_with = '{}'")
    connection.commit()
    connection.close()
    with caplog.at_level(logging.WARNING, logger="pyfaceau"):
        run_batch(videos[:1], tmp_path, options)
    assert "1 of 1 results were made with other versions than this machine's" in caplog.text
    assert "other instruction sets" in caplog.text
