"""What a batch promises when processes are killed, told to stop, or cannot write."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from batch_videos import (
    batch_command,
    is_alive,
    journal_rows,
    run_command,
    workers_of,
    write_videos,
    written,
)

LENGTHS = [30 + 2 * number for number in range(12)]
ALONE = (0, 1, 2, 4, 8, 9, 10, 11)  # the others are two of one person and two of another
# Half of them of the batch, half of one of its workers. PYFACEAU_KILLS=20 for more, which takes minutes.
KILLS = int(os.environ.get("PYFACEAU_KILLS", "6"))

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(sys.platform != "linux", reason="reads /proc and sends signals"),
]


@pytest.fixture(scope="module")
def inputs(tmp_path_factory):
    """Twelve videos: eight alone, two of one person, two of another with a recording at rest."""
    folder = tmp_path_factory.mktemp("inputs")
    paths = write_videos(folder, LENGTHS)
    persons = {3: "Ann,", 7: "Ann,", 5: "Bob,v00.avi", 6: "Bob,v00.avi"}
    lines = [f"{path.name},{persons.get(number, ',')}" for number, path in enumerate(paths)]
    (folder / "list.csv").write_text("path,person,neutral\n" + "\n".join(lines) + "\n")
    return folder


@pytest.fixture(scope="module")
def undisturbed(inputs, choice, tmp_path_factory):
    output = tmp_path_factory.mktemp("undisturbed")
    done = run_command(choice, inputs / "list.csv", "-o", output, "--workers", 2, "-q")
    assert done.returncode == 0, done.stderr
    return written(output)


def start(choice, *arguments) -> subprocess.Popen[str]:
    return subprocess.Popen(
        batch_command(choice, *arguments), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )


def when_working(process: subprocess.Popen[str], output: Path, seconds: float = 60.0) -> None:
    """Wait until a video has been begun that is not finished."""
    until = time.monotonic() + seconds
    while process.poll() is None and time.monotonic() < until:
        if [*(output / ".pyfaceau" / "work").glob("*/*/videos.run")]:
            return
        time.sleep(0.005)


def test_killed_batches_and_workers_lose_nothing_and_do_nothing_twice(inputs, choice, undisturbed, tmp_path):
    output, rng = tmp_path / "out", random.Random(11)
    arguments = (inputs / "list.csv", "-o", output, "--workers", 2, "--checkpoint-every", 0.05, "-q")
    ends: dict[str, float] = {}
    killed = {"batch": 0, "worker": 0}
    process = start(choice, *arguments)
    while sum(killed.values()) < KILLS:
        when_working(process, output)
        time.sleep(rng.uniform(0.0, 0.6))
        victims = workers_of(process.pid)
        if process.poll() is not None or not victims:
            # All done before the last kill: some results are lost, and the batch makes them anew.
            process.communicate()
            for number in ALONE:
                (output / f"v{number:02d}.csv").unlink()
                ends.pop(f"v{number:02d}", None)
            process = start(choice, *arguments)
            continue
        kind = "worker" if killed["worker"] < killed["batch"] else "batch"
        killed[kind] += 1
        if kind == "worker":
            os.kill(rng.choice(victims), signal.SIGKILL)
            continue
        process.kill()
        process.communicate()
        until = time.monotonic() + 20
        while any(map(is_alive, victims)) and time.monotonic() < until:
            time.sleep(0.05)
        assert not any(map(is_alive, victims)), "workers outlive the batch"
        finished = dict(
            journal_rows(output, "SELECT name, ended FROM videos WHERE state = 'done'")
            if (output / ".pyfaceau" / "journal.sqlite").exists()
            else []
        )
        assert {name: finished.get(name) for name in ends} == ends, "a finished video was done again"
        ends = finished
        process = start(choice, *arguments)
    _, errors = process.communicate(timeout=300)
    last = run_command(choice, *arguments)
    assert last.returncode == 0, errors + last.stderr
    assert "12 videos: 12 done" in last.stdout
    assert written(output) == undisturbed
    assert not [*(output / ".pyfaceau" / "work").glob("*/*")]


def test_worker_that_dies_again_and_again_fails_only_its_video(choice, inputs, tmp_path, monkeypatch):
    # The decoder dies at one file, as a defect in compiled code makes it.
    (tmp_path / "sitecustomize.py").write_text(
        "import os, av\n"
        "original = av.open\n"
        "def opened(path, *more, **options):\n"
        "    if 'v02' in path:\n"
        "        os.abort()\n"
        "    return original(path, *more, **options)\n"
        "av.open = opened\n"
    )
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    videos = [inputs / f"v0{number}.avi" for number in (1, 2, 4)]
    done = run_command(choice, *videos, "-o", tmp_path / "out", "--workers", 2, "-q")
    assert done.returncode == 1
    assert "3 videos: 2 done, 1 failed" in done.stdout
    assert "the worker process ended 3 times" in " ".join(done.stderr.split())


@pytest.mark.parametrize(("number", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_signals_save_the_work_and_end_with_their_status(
    inputs, choice, undisturbed, tmp_path, number, status
):
    output = tmp_path / "out"
    arguments = (inputs, "-o", output, "--workers", 2, "-q")
    process = start(choice, *arguments, "--checkpoint-every", 0.05)
    when_working(process, output)
    process.send_signal(number)
    _, errors = process.communicate(timeout=60)
    assert process.returncode == status, errors
    assert "interrupted; the same command goes on from here" in errors
    assert "Traceback" not in errors
    # Whoever was at work has saved, and what is there is whole.
    assert [*(output / ".pyfaceau" / "work").glob("*/*/videos.run")]
    assert not [*output.glob("**/*.part")]
    alone = {f"v{number:02d}.csv" for number in ALONE}
    again = run_command(choice, *arguments)
    assert again.returncode == 0, again.stderr
    found = written(output)
    assert {name: found[name] for name in alone} == {name: undisturbed[name] for name in alone}


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="needs /proc to see when work has begun")
def test_extract_keeps_its_rows_when_terminated(inputs, choice, tmp_path):
    command = [sys.executable, "-m", "pyfaceau", "extract", str(_long(inputs, tmp_path)), "-o", str(tmp_path)]
    command += [f"--{name}={value}" for name, value in choice.items()]
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
    until = time.monotonic() + 60
    while _processor_seconds(process.pid) < 5 and time.monotonic() < until:  # models are loaded within two
        time.sleep(0.05)
    process.terminate()
    _, errors = process.communicate(timeout=60)
    assert process.returncode == 143, errors
    assert "rows are in" in errors
    assert (tmp_path / "long.partial.csv").stat().st_size > 1000


def _long(inputs: Path, folder: Path) -> Path:
    """A folder of images that takes a while: links to few files."""
    import cv2

    capture = cv2.VideoCapture(str(inputs / "v00.avi"))
    target = folder / "long"
    target.mkdir()
    cv2.imwrite(str(folder / "face.png"), capture.read()[1])
    capture.release()
    for number in range(20000):
        os.symlink(folder / "face.png", target / f"{number:05d}.png")
    return target


def _processor_seconds(process: int) -> float:
    """Processor time of a process so far, its threads included."""
    fields = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
