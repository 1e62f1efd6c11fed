"""Commands that train the open landmark pack.

``python -m weights.train pdm|heads|cen|early|validator|evaluate|export``, or ``landmarks`` for all stages in order.
"""

from __future__ import annotations

import argparse
import json
import logging
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from pyclnf.open_arrays import HEAD_FILE

from . import early_termination, export, heads, patches, prepare
from .data import load_keypoints, split_mask, write_manifest, write_split
from .evaluate import landmark_error, predict
from .fitting import Fitter
from .sampling import NO_JITTER, Jitter
from .warp import view_warps

LOG = logging.getLogger(__name__)
ROOT = Path(__file__).resolve().parents[2]
PACK = ROOT / "pyclnf" / "pyclnf" / "models_open"
# Copies of each face (the first is the image as it is) and simulated fitting errors of each learning-rate cycle.
# The second cycle meets worse starts, so that likelihoods tell wrong starting poses from right ones.
CYCLES = ((3, Jitter()), (4, Jitter(angle=(0.08, 0.14, 0.10), scale=0.08)))
# only the coarse scales meet such starts; at the finer ones a second cycle brought nothing, and at none of them one
# with drawn faces
CYCLES_OF_SCALE = (2, 2, 1, 1)
COPIES_ON = 2  # copies of each face when trained experts are trained on
CEN_STEPS = 4000
VALIDATOR_EPOCHS = 8
SEED = 7
WINDOWS = (11, 9, 7, 5)

MAIN = (
    "LandmarkDetector cen_general.txt\nDetectionValidator validator_cnn_open.txt\n"
    "FitSettings sigma_factor 1.5 regularisation_factor 0.9\n"
)
SUB = (
    "PDM pdm_68_open.txt\n"
    + "".join(f"PatchesCEN patch_experts/cen_patches_{scale:.2f}_open.dat\n" for scale in patches.SCALES)
    + "EarlyTermination early_term_open.txt\n"
)


def _cen_path(pack: Path, scale: float) -> Path:
    return pack / "patch_experts" / f"cen_patches_{scale:.2f}_open.dat"


def train_pdm(options: argparse.Namespace) -> None:
    """PDM, split and data manifest."""
    model = prepare.train_pdm(options.data, options.work, options.london)
    options.pack.mkdir(parents=True, exist_ok=True)
    export.export_pdm(model, options.pack / "pdm_68_open.txt")
    folder = ROOT / "weights" / "splits"
    write_split(load_keypoints(options.data / "keypoints"), folder / "keypoints_people.json")
    write_manifest(
        [options.data / name for name in ("keypoints", "clips", "ict_facekit", "london")],
        folder / "data_manifest.json",
    )


def measure_heads(options: argparse.Namespace) -> None:
    """How heads differ, for the head pose."""
    heads.write_heads(options.data / "ict_facekit" / "ict_facekit_light.npz", options.pack / HEAD_FILE)


def train_cen(options: argparse.Namespace) -> None:
    """Patch experts of the chosen scales, both trained views, and their .dat files."""
    import torch

    torch.set_num_threads(options.threads)
    model = prepare.load_model(options.work / "pdm.npz")
    learn = prepare.training_faces(options.data, model, "train", None, options.london)
    check = prepare.training_faces(options.data, model, "validation")
    for k in options.scales:
        held = patches.collect_areas(model, check[0], check[1], k, 1, SEED + 1, NO_JITTER)
        last = CYCLES_OF_SCALE[k] - 1
        if options.start is not None:
            export.read_networks(_cen_path(options.start, patches.SCALES[k]), k, options.work)
        for cycle in range(options.first_cycle if options.start is None else last, last + 1):
            copies, jitter = CYCLES[cycle]
            copies = copies if options.start is None else COPIES_ON
            areas, truth, owner = patches.collect_areas(
                model, learn[0], learn[1], k, copies, SEED + 10 * cycle, jitter
            )
            for view in (0, 1):
                data = patches.split_by_view(areas, truth, learn[0].euler[owner, 1], view)
                test = patches.split_by_view(held[0], held[1], check[0].euler[held[2], 1], view)
                _train_view(options, k, view, cycle, data, test)
        export_cen(options, k)


def _train_view(
    options: argparse.Namespace, k: int, view: int, cycle: int, data: patches.AreaSet, test: patches.AreaSet
) -> None:
    """One learning-rate cycle of one scale and view, from data that are new in every cycle."""
    from . import cen

    path = options.work / f"net_{k}_{view}.npz"
    before = cen.Networks.load(path) if cycle or options.start is not None else None
    started = time.time()
    checkpoint = options.work / f"cen_{k}_{view}_{cycle}.pt"
    seed = 1000 * cycle + 100 * k + view
    confidences = options.work / f"confidence_{k}_{view}.npy"
    if options.landmarks is None or before is None:
        networks = cen.train_networks(data, k, options.steps, seed, checkpoint, before)
        value = cen.correlation(networks, test, k, 1.0, WINDOWS[k])
    else:
        rows = patches.rows_of(view, options.landmarks)
        some = cen.train_networks(data.take(rows), k, options.steps, seed, checkpoint, before.take(rows))
        networks, value = before.put(rows, some), np.load(confidences)
        value[rows] = cen.correlation(some, test.take(rows), k, 1.0, WINDOWS[k])
    networks.save(path)
    np.save(confidences, value)
    figures = {
        "correlation": round(float(value.mean()), 4),
        "areas": int(data.areas.shape[1]),
        "cycle": cycle,
        "seconds": round(time.time() - started),
    }
    (options.work / f"cen_{k}_{view}.json").write_text(json.dumps(figures) + "\n")
    LOG.info("scale %.2f view %d: %s", patches.SCALES[k], view, figures)


def export_cen(options: argparse.Namespace, k: int) -> None:
    """Write the experts of scale ``k`` from the work folder into the pack; float32 (``--full``) for the C++ reader."""
    from pyclnf.io import write_cen

    from .cen import Networks

    frontal, side = (Networks.load(options.work / f"net_{k}_{view}.npz") for view in (0, 1))
    confidences = [np.load(options.work / f"confidence_{k}_{view}.npy") for view in (0, 1)]
    path = _cen_path(options.pack, patches.SCALES[k])
    path.parent.mkdir(parents=True, exist_ok=True)
    write_cen(path, export.cen_file(k, frontal, side, confidences), compact=not options.full)


def export_experts(options: argparse.Namespace) -> None:
    """Write the trained experts of the chosen scales again, e.g. as float32 for OpenFace's own programs."""
    for k in options.scales:
        export_cen(options, k)


def pack_fitter(options: argparse.Namespace, early: bool, scales: Sequence[float] = patches.SCALES) -> Fitter:
    """Return the fitter on the pack's files, or on the experts of the first few scales."""
    from pyclnf.core.patch_experts import CENExperts
    from pyclnf.io import read_cen, read_early_termination

    table = read_early_termination(options.pack / "early_term_open.txt") if early else None
    experts = [CENExperts(read_cen(_cen_path(options.pack, scale))) for scale in scales]
    return Fitter(prepare.load_model(options.work / "pdm.npz"), experts, table)


def train_early(options: argparse.Namespace) -> None:
    """Early-termination table and the model descriptions."""
    fitter = pack_fitter(options, early=False, scales=patches.SCALES[:1])
    faces, images, _ = prepare.training_faces(options.data, fitter.model, "validation")
    scores = early_termination.first_pass_scores(fitter, faces, images, SEED)
    early_termination.write_table(early_termination.calibrate(*scores), options.pack / "early_term_open.txt")
    (options.pack / "main_ceclm_general.txt").write_text(MAIN)
    (options.pack / "cen_general.txt").write_text(SUB)


def train_validator(options: argparse.Namespace) -> None:
    """Train the detection validator on synthetic and really fitted shapes, good and bad."""
    import torch

    from pyclnf.io import write_validator

    from . import validator

    torch.set_num_threads(options.threads)
    fitter = pack_fitter(options, early=False, scales=patches.SCALES[:2])
    warps = view_warps(fitter.model)
    sets = {}
    for part, seed in (("train", SEED), ("validation", SEED + 1)):
        faces, images, _ = prepare.training_faces(
            options.data, fitter.model, part, options.drawn, options.london
        )
        shapes = [(image.shape[0], image.shape[1]) for image in images]
        graded = validator.join(
            validator.synthetic_shapes(fitter.model, faces, shapes, 7, seed),
            validator.fitted_shapes(fitter, faces, images, 1, seed),
        )
        sets[part] = (graded, images)
        LOG.info(
            "%s: %d graded shapes, %.0f %% good", part, len(graded.error), 100 * (graded.error < 0.1).mean()
        )
    views, figures = [], {}
    for view, (warp, partner) in enumerate(((warps[0], None), (warps[1], warps[2]))):
        crops, errors = validator.cut_out(warp, *sets["train"], partner, True, SEED)
        net, mean, std = validator.train_net(crops, errors, options.epochs, SEED + view)
        held, held_errors = validator.cut_out(warp, *sets["validation"], partner, False, SEED)
        accepted = validator.grade(net, mean, std, held) <= 4
        figures[f"view{view}"] = {
            "accepted_below_0.08": float(accepted[held_errors < 0.08].mean()),
            "accepted_above_0.15": float(accepted[held_errors > 0.15].mean()),
            "accepted_above_0.3": float(accepted[held_errors > 0.3].mean()),
            "crops": len(crops),
        }
        LOG.info("validator view %d: %s", view, figures[f"view{view}"])
        views.append(validator.export_view(net, mean, std, warp, False))
        if partner is not None:
            views.append(validator.export_view(net, mean, std, partner, True))
    (options.work / "validator.json").write_text(json.dumps(figures, indent=1) + "\n")
    write_validator(options.pack / "validator_cnn_open.txt", validator.assemble(views))


def evaluate(options: argparse.Namespace) -> None:
    """Error of the pack on the held-out people, from all starting poses and from the frontal one."""
    fitter = pack_fitter(options, early=True)
    data = load_keypoints(options.data / "keypoints")
    labels, _ = prepare.make_labels(data)
    chosen = [int(index) for index in np.flatnonzero(split_mask(data.persons, "test"))]
    for multi in (True, False):

        def fit(image: NDArray[np.uint8], box: tuple[float, ...], multi: bool = multi) -> NDArray[np.float64]:
            return fitter.project(fitter.fit_box(image, box, multi))

        points = predict(fit, data, labels, chosen)
        LOG.info(
            "%s: %s",
            "all poses" if multi else "one pose",
            landmark_error(points, data.landmarks[chosen]).line(),
        )


STAGES = {
    "pdm": train_pdm,
    "heads": measure_heads,
    "cen": train_cen,
    "early": train_early,
    "validator": train_validator,
    "evaluate": evaluate,
}
COMMANDS = {**STAGES, "export": export_experts}


def main(arguments: Sequence[str] | None = None) -> None:
    """Parse the command line and train."""
    parser = argparse.ArgumentParser(prog="python -m weights.train", description=__doc__)
    parser.add_argument("command", choices=[*COMMANDS, "landmarks"], help="landmarks = everything in order")
    parser.add_argument(
        "--data", type=Path, default=ROOT.parent / "shared" / "data", help="folder with keypoints/ ..."
    )
    parser.add_argument(
        "--drawn",
        type=Path,
        help="folder in which `au --stages draw` has drawn faces; the validator learns from them as well",
    )
    parser.add_argument(
        "--london",
        type=Path,
        help="MediaPipe's points of the London pictures (mediapipe_labels.py); those people train as well",
    )
    parser.add_argument(
        "--work", type=Path, default=ROOT / "build" / "training", help="checkpoints and caches"
    )
    parser.add_argument("--pack", type=Path, default=PACK, help="folder of the artefacts")
    parser.add_argument(
        "--full", action="store_true", help="write float32 experts, readable by OpenFace's C++"
    )
    parser.add_argument(
        "--scales", type=int, nargs="+", default=[0, 1, 2, 3], help="indices of the patch scales"
    )
    parser.add_argument("--steps", type=int, default=CEN_STEPS, help="training steps of each scale and view")
    parser.add_argument("--first-cycle", type=int, default=0, help="1 goes on from trained experts")
    parser.add_argument(
        "--start", type=Path, help="pack whose experts are trained on, one cycle, instead of new ones"
    )
    parser.add_argument(
        "--landmarks",
        type=int,
        nargs="+",
        help="with --start: train the experts of these landmarks on, the others stay as they are, bit by bit",
    )
    parser.add_argument("--epochs", type=int, default=VALIDATOR_EPOCHS)
    parser.add_argument("--threads", type=int, default=1)
    options = parser.parse_args(arguments)
    if options.landmarks is not None and options.start is None:
        parser.error("--landmarks needs --start, the pack that has the other experts")
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    options.work.mkdir(parents=True, exist_ok=True)
    for name in STAGES if options.command == "landmarks" else [options.command]:
        started = time.time()
        COMMANDS[name](options)
        LOG.info("%s took %.0f s", name, time.time() - started)


if __name__ == "__main__":
    main()
