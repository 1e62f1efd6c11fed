"""``python -m weights.train au``: pictures, descriptors, models, figures; every stage is kept in a work folder."""

from __future__ import annotations

import argparse
import functools
import hashlib
import itertools
import json
import logging
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

import cv2
import numpy as np

from pyclnf import LandmarkModel
from weights.render.ict import load_ict

from .dataset import drawn_faces, real_faces
from .descriptors import Describer
from .evaluate import evaluate
from .mask import face_triangles, write_triangles
from .predictors import write_models
from .rendered import random_weights, write_rendered
from .sources import LONDON_DRAWN_SIZE, Frame, blendshape_names, clips, crops, london
from .training import load_material, prepare_dynamic, train_dynamic, train_static
from .transfer import Drivers
from .turned import write_turned

LOG = logging.getLogger(__name__)
SEED_RENDERED, SEED_TRANSFERRED, SEED_TURNED, SEED_BENT, SEED_FEATURES = 1, 7, 5, 9, 0
#: Turns (pitch, yaw, roll; standard deviation in degrees) of the pictures that only the landmark models learn from.
BENT = (13.0, 14.0, 5.0)
PDM, TRIANGULATION = "pdm_68_open.txt", "tris_68_full_open.txt"
DRAWN = ("rendered", "transferred", "turned")
STAGES = ("draw", "label", "describe", "fit", "evaluate")
REPOSITORY = Path(__file__).parents[2]


def main(arguments: list[str] | None = None) -> None:
    """Run the stages that are asked for; by default all."""
    options = _options(arguments)
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    cv2.setNumThreads(1)
    options.work.mkdir(parents=True, exist_ok=True)
    stages: dict[str, Callable[[argparse.Namespace], None]] = {
        "draw": _draw, "label": _label, "describe": _describe, "fit": _fit, "evaluate": evaluate,
    }  # fmt: skip
    times = {}
    for name in options.stages:
        start = time.perf_counter()
        stages[name](options)
        times[name] = round(time.perf_counter() - start)
        LOG.info("%s: %d s", name, times[name])
    _write_manifest(options, times)


def _options(arguments: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m weights.train au", description=__doc__)
    parser.add_argument("--data", type=Path, default=REPOSITORY / "../shared/data", help="training data")
    parser.add_argument(
        "--work", type=Path, default=REPOSITORY / "build/training-au", help="intermediate files"
    )
    parser.add_argument("--landmarks", type=Path, default=REPOSITORY / "pyclnf/pyclnf/models_open",
                        help="open landmark models; their PDM and tracker are trained for")  # fmt: skip
    parser.add_argument("--out", type=Path, default=REPOSITORY / "pyfaceau/pyfaceau/models_open")
    parser.add_argument("--mediapipe-python", type=Path, help="Python with MediaPipe, for a second label")
    parser.add_argument(
        "--media", type=Path, default=REPOSITORY / "../shared", help="videos and gold, for figures"
    )
    parser.add_argument(
        "--london",
        type=Path,
        help="MediaPipe's points and blendshapes of the London pictures (mediapipe_labels.py)",
    )
    parser.add_argument("--draw", nargs="+", choices=("bent", *DRAWN), default=("bent", *DRAWN),
                        help="sets that the draw stage draws; they can run side by side")  # fmt: skip
    parser.add_argument("--stages", nargs="+", choices=STAGES, default=STAGES)
    return parser.parse_args(arguments)


def _draw(options: argparse.Namespace) -> None:
    """Render the re-animated calm faces and the turned real frames."""
    model = load_ict(options.data / "ict_facekit/ict_facekit_light.npz")
    names = blendshape_names(options.data)
    independent = functools.partial(random_weights, model)
    calm = list(_london(options, (LONDON_DRAWN_SIZE,)))
    drivers = Drivers(model, (frame for frame in crops(options.data) if frame.part == "train"), names)

    def drawn_from() -> Iterable[Frame]:
        return itertools.chain(calm, crops(options.data))

    jobs: dict[str, Callable[[Path], int]] = {
        "bent": lambda folder: write_turned(
            model, (f for f in crops(options.data) if f.part == "train"), folder, SEED_BENT, 1, BENT
        ),
        "rendered": lambda folder: write_rendered(
            model, drawn_from(), names, folder, SEED_RENDERED, independent
        ),
        "transferred": lambda folder: write_rendered(
            model, drawn_from(), names, folder, SEED_TRANSFERRED, drivers, 16
        ),
        "turned": lambda folder: write_turned(
            model, itertools.chain(crops(options.data), clips(options.data)), folder, SEED_TURNED
        ),
    }
    for name, job in jobs.items():
        if name in options.draw:
            job(options.work / name)


def _london(options: argparse.Namespace, sizes: Sequence[float] | None = None) -> Iterable[Frame]:
    """Pictures of the London people for training; none without ``--london``."""
    if options.london is None:
        return ()
    return (
        london(options.data, options.london) if sizes is None else london(options.data, options.london, sizes)
    )


def _label(options: argparse.Namespace) -> None:
    """Ask MediaPipe about the drawn faces, if there is an environment for it."""
    if options.mediapipe_python is None:
        LOG.info("no --mediapipe-python: drawn faces have the labels that they were drawn with and no other")
        return
    script = Path(__file__).with_name("mediapipe_labels.py")
    task = options.data / "mediapipe/face_landmarker.task"
    for name in _there(options):
        command = [options.mediapipe_python, script, task, options.work / name, _opinions(options, name)]
        subprocess.run([str(part) for part in command], check=True, stdout=sys.stderr)


def _there(options: argparse.Namespace) -> list[str]:
    """List the sets of faces that have been drawn."""
    return [name for name in DRAWN if (options.work / name / "truth.npz").exists()]


def _opinions(options: argparse.Namespace, name: str) -> Path:
    """MediaPipe's blendshapes of a set of drawn faces."""
    return Path(options.work / f"{name}_mediapipe.npz")


def _describe(options: argparse.Namespace) -> None:
    """Track all faces with the open landmark models and describe them."""
    write_triangles(options.out / TRIANGULATION, face_triangles(options.landmarks / PDM))
    shutil.copyfile(options.landmarks / PDM, options.out / PDM)
    describe = Describer(options.out / PDM, options.out / TRIANGULATION)
    model = LandmarkModel.load(options.landmarks / "main_ceclm_general.txt")
    real = real_faces(
        describe,
        model,
        itertools.chain(crops(options.data), _london(options)),
        options.data / "clips",
        clips(options.data),
        SEED_FEATURES,
    )
    real.save(options.work / "real.npz")
    for name in _there(options):
        path = _opinions(options, name)
        opinions = np.load(path)["blendshapes"].astype(np.float64) if path.exists() else None
        faces = drawn_faces(describe, model, options.work / name, opinions, SEED_FEATURES)
        faces.save(options.work / f"{name}.npz")


def _fit(options: argparse.Namespace) -> None:
    """Train and write the models."""
    material = load_material(options.work, options.data)
    sums = prepare_dynamic(material)
    dynamic = train_dynamic(material, sums)
    static, static_means = train_static(material, sums.scale)
    means = {True: np.zeros_like(static_means), False: static_means}
    write_models(options.out, dynamic + static, means, PDM, TRIANGULATION)


def _write_manifest(options: argparse.Namespace, times: dict[str, int]) -> None:
    """Record data, seeds, run times and the hashes of what was written."""
    path = REPOSITORY / "weights/manifests/au.json"
    known = json.loads(path.read_text()) if path.exists() else {}
    data = ("keypoints/landmarks.npz", "keypoints/mediapipe.npz", "ict_facekit/ict_facekit_light.npz")
    clip_files = sorted(p.relative_to(options.data) for p in (options.data / "clips").iterdir())
    manifest = {
        "seeds": {"rendered": SEED_RENDERED, "turned": SEED_TURNED, "features": SEED_FEATURES},
        "seconds": known.get("seconds", {}) | times,
        "data": {str(name): _digest(options.data / name) for name in (*data, *clip_files)},
        "landmark models": _digests(options.landmarks),
        "models": _digests(options.out),
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(manifest, indent=1) + "\n")


def _digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def _digests(folder: Path) -> dict[str, str]:
    return {
        str(path.relative_to(folder)): _digest(path) for path in sorted(folder.rglob("*")) if path.is_file()
    }


if __name__ == "__main__":
    main()
