"""``python -m weights.train eyes``: draw eyes, train the network on drawn and real ones, write its file and figures."""

from __future__ import annotations

import argparse
import json
import logging
import time
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path

import numpy as np

from pyclnf.io import atomic_write
from pyclnf.io.archive import read_archive
from pyclnf.open_arrays import HEAD_FILE
from pyclnf.open_eyes import ARRAYS, OpenEyes
from pyclnf.open_head import HeadAnatomy
from weights.landmarks.london import load_london
from weights.landmarks.prepare import load_model, london_people

from .dataset import UNSEEN_SKINS, EyeSet, drawn_pairs, lens_outputs, real_eyes, real_faces
from .mesh import load_parts
from .scenes import Scenes, drawn_scenes, fresh_windows, guessed_gaze, real_scenes

LOG = logging.getLogger(__name__)
ROOT = Path(__file__).resolve().parents[2]
SEED, PICTURES, PAIRS, ROUNDS = 11, 18000, 600, 49
PIECE = 1000  # pictures of a file
REAL_WINDOWS = 2  # of each real eye in a round, which has one of each drawn eye
LENS_WINDOWS = 20  # of each eye that looks into the lens, for the last layer's rows of gaze
LENS_SHARE = 0.2  # of real eyes that look into the lens, in the last layer's rows of gaze
OUTER_EYE_MM = 90.0
OWN_SHARE = 0.35  # of an eye's direction; the rest is that of both
STAGES = ("draw", "real", "fit", "evaluate")


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the stages that are asked for."""
    parser = argparse.ArgumentParser(prog="python -m weights.train eyes", description=__doc__)
    parser.add_argument("--data", type=Path, default=ROOT.parent / "shared" / "data")
    parser.add_argument(
        "--work", type=Path, default=ROOT / "build" / "training", help="with the shape model, pdm.npz"
    )
    parser.add_argument("--london", type=Path, help="MediaPipe's points of the London pictures")
    parser.add_argument(
        "--out", type=Path, default=ROOT / "pyclnf" / "pyclnf" / "models_open" / "eyes_open.npz"
    )
    parser.add_argument("--start", type=Path, help="file of a network that is trained on; it may be narrower")
    parser.add_argument("--pictures", type=int, default=PICTURES)
    parser.add_argument("--rounds", type=int, default=ROUNDS, help="in which every eye is cut out anew")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--stages", nargs="+", choices=STAGES, default=STAGES)
    options = parser.parse_args(arguments)
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    stages = {"draw": _draw, "real": _real, "fit": _fit, "evaluate": _evaluate}
    for name in options.stages:
        started = time.time()
        stages[name](options)
        LOG.info("%s: %.0f s", name, time.time() - started)


def _draw(options: argparse.Namespace) -> None:
    parts = load_parts(options.data / "unityeyes2")
    skins = [name for name in parts.skins if name not in UNSEEN_SKINS]
    # in pieces, so that a stopped run goes on where it was
    for k in range(-(-options.pictures // PIECE)):
        path = options.work / f"eyes_scenes_{k:02d}.npz"
        if not path.exists():
            drawn_scenes(parts, PIECE, SEED + k, skins).save(path)
            LOG.info("piece %d", k)
    pairs, gaze, heads, sizes = drawn_pairs(parts, PAIRS, SEED - 1, list(UNSEEN_SKINS))
    pairs.save(options.work / "eyes_pairs.npz")
    np.savez(options.work / "eyes_pairs_truth.npz", gaze=gaze, heads=heads, sizes=sizes)


def _real(options: argparse.Namespace) -> None:
    model = load_model(options.work / "pdm.npz")
    anatomy = HeadAnatomy.from_file(options.out.with_name(HEAD_FILE))
    faces = real_faces(options.data, model, anatomy, options.london, "train")
    real_scenes(faces).save(options.work / "eyes_real.npz")
    real_eyes(options.data, model, anatomy, "validation", SEED).save(options.work / "eyes_validation.npz")


def _fit(options: argparse.Namespace) -> None:
    import torch

    from .net import arrays_of, refitted, train

    torch.set_num_threads(options.threads)
    drawn = Scenes.load(sorted(options.work.glob("eyes_scenes_*.npz")))
    real, error = guessed_gaze(drawn, Scenes.load([options.work / "eyes_real.npz"]))
    LOG.info("%d drawn eyes, %d real; gaze guessed from points: %s for the lens",
             len(drawn), len(real), np.sqrt((error**2).mean(axis=0)))  # fmt: skip
    start = None if options.start is None else read_archive(options.start, ARRAYS)
    net = train([drawn, *[real] * REAL_WINDOWS], options.rounds, SEED, options.work / "eyes.pt", start)
    rng = np.random.default_rng(SEED)
    into_lens = real.part(real.sure)
    lens = EyeSet.joined([fresh_windows(into_lens, rng) for _ in range(LENS_WINDOWS)])
    lens = lens.part(lens.targets[:, -1] > 0)
    arrays = refitted(arrays_of(net, np.zeros(2), OWN_SHARE), fresh_windows(drawn, rng), lens, LENS_SHARE)
    # what an eye that looks into the lens gives: the eye's line of sight is not its axis
    seen = lens_outputs(OpenEyes(arrays), load_london(options.data / "london"), london_people("train"))
    arrays["centre"] = np.median(seen, axis=0).astype(np.float16)
    LOG.info("lens: centre %s, spread %s", arrays["centre"], seen.std(axis=0))
    with atomic_write(options.out) as file:
        np.savez(file, **arrays)


def _evaluate(options: argparse.Namespace) -> None:
    from .net import eye_axes_error

    eyes = OpenEyes.from_file(options.out)
    pairs = EyeSet.load(options.work / "eyes_pairs.npz")
    with np.load(options.work / "eyes_pairs_truth.npz") as truth:
        gaze, heads, size = truth["gaze"], truth["heads"], truth["sizes"] * OUTER_EYE_MM
    error = eye_axes_error(eyes, pairs, gaze, heads)
    turn = np.degrees(np.arccos(np.clip(heads[:, 2, 2], -1, 1)))
    away = np.degrees(np.arccos(np.clip(-gaze[:, 2], -1, 1)))
    out = eyes.outputs(pairs.windows.astype(np.float32), pairs.heads)
    real = EyeSet.load(options.work / "eyes_validation.npz")
    found = eyes.outputs(real.windows.astype(np.float32), real.heads)
    iris = slice(2, 18)
    width = 25.7 / 37.0 * 48 / 10  # eye width in units of the outputs

    def spread(a: np.ndarray, b: np.ndarray, columns: slice) -> float:
        d = (a[:, columns] - b[:, columns]).reshape(len(a), -1, 2)
        return float(np.nanmean(np.linalg.norm(d, axis=2)) / width)

    figures = {
        "drawn, within 20 degrees of head turn": float(error[turn <= 20].mean()),
        "drawn, beyond": float(error[turn > 20].mean()),
        "by size, outer-eye distance below 45, 60, 90, 130, above, px (within 20 degrees; beyond)": [
            float(error[(a <= size) & (size < b) & near].mean())
            for near in (turn <= 20, turn > 20)
            for a, b in pairwise((0, 45, 60, 90, 130, 999))
        ],
        "faces of at least 45, 60, 90, 130 px (within 20 degrees; beyond)": [
            float(error[(size >= least) & near].mean())
            for near in (turn <= 20, turn > 20)
            for least in (45, 60, 90, 130)
        ],
        "by gaze within 10, 20, 30, beyond, degrees from the lens": [
            float(error[(a <= away) & (away < b)].mean()) for a, b in ((0, 10), (10, 20), (20, 30), (30, 90))
        ],
        "opening r, drawn": float(np.corrcoef(out[:, -2], pairs.targets[:, -2])[0, 1]),
        "opening r, real (MediaPipe)": float(np.corrcoef(found[:, -2], real.targets[:, -2])[0, 1]),
        "iris points / eye width, drawn": spread(out, pairs.targets, iris),
        "iris points / eye width, real": spread(found, real.targets, iris),
        "lid points / eye width, drawn": spread(out, pairs.targets, slice(18, 42)),
        "lid points / eye width, real": spread(found, real.targets, slice(18, 42)),
    }
    (options.work / "eyes_figures.json").write_text(json.dumps(figures, indent=1) + "\n")
    LOG.info("%s", json.dumps(figures, indent=1))
