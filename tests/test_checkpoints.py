"""A run that is saved and goes on in another process gives the bytes of one that was never interrupted."""

from __future__ import annotations

import json
import random
import subprocess
import sys
from itertools import islice
from pathlib import Path

import cv2
import numpy as np
import pytest
from resume_runs import result_bytes, table_bytes

import pyfaceau.demo
from pyfaceau import FullPythonAUPipeline
from pyfaceau.checkpoint import read_checkpoint, write_checkpoint
from pyfaceau.errors import CheckpointError
from pyfaceau.video import open_video

CLIP = Path(pyfaceau.demo.__file__).parent / "data" / "demo.mp4"
CUTS = 20
FRAMES = 44

# Options of the pipeline, of the run, and how many faces there are.
KINDS = {
    "one face": ({}, {}, 1),
    "several faces": ({"max_faces": 3}, {}, 2),
    "live": ({}, {"mode": "live"}, 1),
    "neutral baseline": ({}, {"baseline": (3, 20)}, 1),
    "several faces with a baseline": ({"max_faces": 2, "stable_ids": False}, {"baseline": (3, 20)}, 2),
}


@pytest.fixture(scope="module")
def videos(tmp_path_factory):
    """Folders of images with one and with two moving faces; the face is away for a while, then back."""
    root = tmp_path_factory.mktemp("videos")
    with open_video(CLIP) as source:
        images = [
            cv2.resize(frame.image, None, fx=0.75, fy=0.75)
            for frame in islice(source, 20, 20 + 2 * FRAMES, 2)
        ]
    for faces in (1, 2):
        folder = root / str(faces)
        folder.mkdir()
        for number, image in enumerate(images):
            parts = [image.copy(), images[-number][:, ::-1].copy()][:faces]
            if 14 <= number < 22:
                parts[0][:] = 90
            if faces == 2 and number >= 30:
                parts[1][:] = 90
            cv2.imwrite(str(folder / f"{number:03d}.png"), np.hstack(parts))
    return root


@pytest.mark.parametrize("kind", KINDS)
def test_saved_run_goes_on_with_identical_bytes_in_a_new_process(choice, videos, tmp_path, kind):
    options, arguments, faces = KINDS[kind]
    settings = {**choice, **options, "include": ["pose", "aus", "landmarks"]}
    pipeline = FullPythonAUPipeline(**settings)
    video = videos / str(faces)
    cuts = sorted(random.Random(kind).sample(range(1, FRAMES), CUTS))
    checkpoints, shown = [], {}
    # One run is enough: it is saved at each of the frames, and going on shows that saving disturbs nothing.
    with open_video(video) as source, pipeline.run(**arguments) as run:
        results = []
        for result, _ in run.results(source):
            results.append(result)
            if cuts and result.frame >= cuts[0]:
                checkpoints.append(str(tmp_path / f"{cuts.pop(0)}.run"))
                run.save(checkpoints[-1])
                shown[checkpoints[-1]] = run.frames_done
        if run.mode != "live":
            whole = table_bytes(run.finish())
    with open_video(video) as source, pipeline.run(**arguments) as run:
        undisturbed = [result for result, _ in run.results(source)]
        if run.mode != "live":
            assert table_bytes(run.finish()) == whole
    assert result_bytes(results) == result_bytes(undisturbed)

    job = tmp_path / "job.json"
    job.write_text(json.dumps({"pipeline": settings, "video": str(video), "checkpoints": checkpoints}))
    subprocess.run([sys.executable, Path(__file__).with_name("resume_runs.py"), job], check=True)
    assert len(checkpoints) == CUTS
    for checkpoint in checkpoints:
        found = Path(checkpoint).with_suffix(".result").read_bytes()
        if arguments.get("mode") == "live":
            rest = [result for result in undisturbed if result.frame > shown[checkpoint]]
            assert found == result_bytes(rest)
        else:
            assert found == whole


def test_rows_in_files_give_what_rows_in_memory_give(pipeline, videos, tmp_path):
    with open_video(videos / "1") as source, pipeline.run() as run:
        run.analyse(source)
        expected = run.finish()
    with open_video(videos / "1") as source, pipeline.run(spool=tmp_path / "spool") as run:
        run.analyse(source, max_frames=27)
        run.save(tmp_path / "state.run")
        run.analyse(source, max_frames=33)  # rows after the checkpoint are in the files and must not matter
    assert (tmp_path / "state.run").stat().st_size < 3_000_000
    with (
        open_video(videos / "1") as source,
        pipeline.resume(tmp_path / "state.run", spool=tmp_path / "spool") as run,
    ):
        run.analyse(source)
        found = run.finish()
    assert table_bytes(found) == table_bytes(expected)
    assert found.attrs == expected.attrs


def test_run_that_has_no_row_yet_or_no_face_goes_on_with_its_files(pipeline, videos, tmp_path):
    with open_video(videos / "1") as source:
        faceless = [np.full_like(frame.image, 90) for frame in islice(source, 3)]
    with open_video(videos / "1") as source:
        images = [*faceless, *(frame.image for frame in islice(source, 6))]
    with pipeline.run() as run:
        run.begin("frames", 25.0)
        for image in images:
            run.process(image)
        expected = run.finish()
    for taken in (0, 2):
        spool = tmp_path / f"spool-{taken}"
        with pipeline.run(spool=spool) as run:
            run.begin("frames", 25.0)
            for image in images[:taken]:
                run.process(image)
            run.save(tmp_path / "state.run")
        with pipeline.resume(tmp_path / "state.run", spool=spool) as run:
            for image in images[taken:]:
                run.process(image)
            found = run.finish()
        assert table_bytes(found) == table_bytes(expected)


def test_checkpoint_of_another_analysis_is_refused(choice, pipeline, videos, tmp_path):
    with open_video(videos / "1") as source, pipeline.run() as run:
        run.analyse(source, max_frames=3)
        run.save(tmp_path / "state.run")
    with pytest.raises(CheckpointError, match="made with options: au_models = 'dynamic'"):
        FullPythonAUPipeline(**choice, au_models="static").resume(tmp_path / "state.run")


def test_damaged_checkpoints_are_refused_in_one_way(pipeline, videos, tmp_path):
    with open_video(videos / "1") as source, pipeline.run() as run:
        run.analyse(source, max_frames=3)
        run.save(tmp_path / "state.run")
    content = (tmp_path / "state.run").read_bytes()
    damaged = tmp_path / "damaged.run"
    rng = random.Random(1)
    for length in [0, 1, 100, *rng.sample(range(len(content)), 20)]:
        damaged.write_bytes(content[:length])
        with pytest.raises(CheckpointError, match=r"damaged\.run"):
            pipeline.resume(damaged)
    header, arrays = read_checkpoint(tmp_path / "state.run")
    part = header["parts"][0]
    for change in (
        *({"frames_done": value} for value in (float("inf"), None, "many")),
        *(
            {"parts": value}
            for value in (7, [{}], [part | {"first_number": float("inf")}], [part | {"attrs": 1}])
        ),
        *({"include": ["nothing"]}, {"mode": 3}, {"frames": [1]}, {"frames": [2, 1]}, {"number_format": []}),
    ):
        write_checkpoint(damaged, header | change, arrays)
        with pytest.raises(CheckpointError, match=r"damaged\.run"):
            pipeline.resume(damaged)
    for name in arrays:
        write_checkpoint(damaged, header, arrays | {name: np.zeros((2, 0), np.int16)})
        with pytest.raises(CheckpointError, match=r"damaged\.run"):
            pipeline.resume(damaged)
    with pytest.raises(CheckpointError, match="no such file"):
        pipeline.resume(tmp_path / "gone.run")
    (tmp_path / "text.run").write_text("This is a text.")
    with pytest.raises(CheckpointError, match="not a saved run"):
        pipeline.resume(tmp_path / "text.run")
