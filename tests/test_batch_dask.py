"""A batch on a Dask cluster gives the bytes of one process, also when a worker is killed."""

from __future__ import annotations

import logging
import os
import signal
import subprocess
import sys
import threading
import time

import joblib
import pytest
from batch_videos import write_videos, written

from pyfaceau import AnalysisOptions, run_batch

pytestmark = [
    pytest.mark.slow,
    pytest.mark.filterwarnings("default::DeprecationWarning", "default::ResourceWarning"),
]


@pytest.fixture(scope="module")
def distributed():
    return pytest.importorskip("distributed")


@pytest.fixture(scope="module")
def videos(tmp_path_factory):
    return write_videos(tmp_path_factory.mktemp("videos"), [30, 60, 40, 50, 32, 44])


@pytest.fixture(scope="module")
def options(choice):
    return AnalysisOptions(**choice, threads=1)


@pytest.fixture(scope="module")
def expected(videos, options, tmp_path_factory):
    output = tmp_path_factory.mktemp("expected")
    run_batch(videos, output, options)
    return written(output)


@pytest.fixture(scope="module")
def cluster(distributed, tmp_path_factory):
    """Two worker processes with nannies, which start another one for each that dies."""
    folder = tmp_path_factory.mktemp("dask")
    with distributed.LocalCluster(
        n_workers=2,
        threads_per_worker=1,
        processes=True,
        dashboard_address=None,
        local_directory=str(folder),
    ) as cluster:
        yield cluster


def test_killed_worker_of_a_cluster_changes_nothing(
    cluster, distributed, videos, options, expected, tmp_path
):
    killed = []

    def kill(progress, ended):
        """Kill a worker each time a video has been saved in the middle, three times at most."""
        if len(killed) < 3 and [*(tmp_path / "out" / ".pyfaceau" / "work").glob("*/*/videos.run")]:
            with distributed.Client(cluster.scheduler_address) as client:
                processes = client.run(os.getpid)
                busy = [name for name, jobs in client.processing().items() if jobs and name in processes]
            if busy:
                killed.append(processes[busy[0]])
                os.kill(killed[-1], signal.SIGKILL)
                time.sleep(2)

    summary = run_batch(
        videos,
        tmp_path / "out",
        options,
        scheduler=cluster.scheduler_address,
        checkpoint_s=0.05,
        report=kill,
    )
    assert killed
    assert not summary.failed
    assert written(tmp_path / "out") == expected
    assert not [*(tmp_path / "out" / ".pyfaceau" / "work").glob("*")]


def test_joblib_chooses_the_cluster_and_results_travel_back(
    cluster, distributed, videos, options, expected, tmp_path
):
    with distributed.Client(cluster.scheduler_address), joblib.parallel_config(backend="dask"):
        summary = run_batch(videos[:3], tmp_path / "out", options, bring_back=True)
    assert summary.analysed == 130
    assert written(tmp_path / "out") == {n: c for n, c in expected.items() if n[:3] in ("v00", "v01", "v02")}
    assert not (tmp_path / "out" / ".pyfaceau" / "work").exists()


def test_results_go_to_any_address_of_fsspec(cluster, distributed, videos, options, expected, tmp_path):
    there = tmp_path / "store"
    scheduler = cluster.scheduler_address
    arguments = {"scheduler": scheduler, "results": there.as_uri()}
    assert run_batch(videos[:2], tmp_path / "out", options, **arguments).analysed == 90
    assert written(there) == {n: c for n, c in expected.items() if n[:3] in ("v00", "v01")}
    assert not [*there.glob(".*")]
    assert run_batch(videos[:2], tmp_path / "out", options, **arguments).unchanged == 2


def test_models_are_loaded_once_a_worker(cluster, distributed, videos, options, tmp_path):
    def loaded():
        from pyfaceau.batch import worker

        return [id(pipeline) for pipeline in worker._loaded]

    with distributed.Client(cluster.scheduler_address) as client:
        run_batch(videos[:4], tmp_path / "out", options, scheduler=cluster.scheduler_address)
        before = client.run(loaded)
        run_batch(videos[:4], tmp_path / "out", options, scheduler=cluster.scheduler_address, redo=True)
        after = client.run(loaded)
    assert any(before.values())
    assert all(before[name] == after[name] for name in before if before[name])


def test_batch_without_workers_says_so_and_goes_on_when_they_come(
    distributed, videos, options, expected, tmp_path, monkeypatch, caplog
):
    monkeypatch.setattr("pyfaceau.batch.pools._PATIENCE", 0.5)
    arguments = {"processes": True, "threads_per_worker": 1, "dashboard_address": ":0"}
    with distributed.LocalCluster(n_workers=0, local_directory=str(tmp_path), **arguments) as empty:
        late = time.monotonic() + 60

        def hire(progress, ended):
            if "no worker" in caplog.text or time.monotonic() > late:
                empty.scale(1)

        with caplog.at_level(logging.WARNING, logger="pyfaceau"):
            run_batch(videos[:1], tmp_path / "out", options, scheduler=empty.scheduler_address, report=hire)
    assert caplog.text.count("1 video(s) wait, but no worker has been connected") == 1
    assert written(tmp_path / "out") == {name: data for name, data in expected.items() if name[:3] == "v00"}


def test_stopped_batch_stops_the_cluster_and_goes_on_later(cluster, videos, options, expected, tmp_path):
    stop = threading.Event()

    def report(progress, ended):
        if ended:
            stop.set()

    address = cluster.scheduler_address
    for bring_back in (False, True):
        stop.clear()
        output = tmp_path / str(bring_back)
        arguments = {"scheduler": address, "bring_back": bring_back}
        summary = run_batch(videos, output, options, report=report, stop=stop.is_set, **arguments)
        assert summary.stopped
        assert {entry.state for entry in summary.entries} == {"done", "waiting"}
        assert not run_batch(videos, output, options, **arguments).failed
        assert written(output) == expected


def test_address_without_a_scheduler_is_one_line(videos, tmp_path):
    command = [sys.executable, "-m", "pyfaceau", "batch", str(videos[0]), "-o", str(tmp_path / "out")]
    environment = {**os.environ, "DASK_DISTRIBUTED__COMM__TIMEOUTS__CONNECT": "1s"}
    done = subprocess.run(
        [*command, "--models=open", "--scheduler", "tcp://127.0.0.1:9"],
        capture_output=True,
        text=True,
        env=environment,
    )
    assert done.returncode == 1
    assert "no Dask scheduler answers at tcp://127.0.0.1:9" in done.stderr
    assert "Traceback" not in done.stderr
