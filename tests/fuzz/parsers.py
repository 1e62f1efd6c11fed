"""Every parser of foreign files: how it is called, small sound files to begin with, and the errors that are its own."""

from __future__ import annotations

import gzip
import io
import struct
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

REPOSITORY = Path(__file__).parents[2]
# The smallest sound files are made by the packages' own tests.
sys.path += [str(REPOSITORY / package / "tests") for package in ("pyclnf", "pymtcnn")]

import mtcnn_oracle  # noqa: E402
import tiny_models  # noqa: E402

from pyclnf import PDM, LandmarkModel  # noqa: E402
from pyclnf import io as models  # noqa: E402
from pyclnf.core.validator import DetectionValidator  # noqa: E402
from pyclnf.errors import PyCLNFError  # noqa: E402
from pyclnf.models import landmark_files  # noqa: E402
from pyclnf.open_eyes import OpenEyes  # noqa: E402
from pyfaceau.batch.journal import FOLDER, Journal, read_entries  # noqa: E402
from pyfaceau.batch.manifest import BatchVideo, collect_videos  # noqa: E402
from pyfaceau.checkpoint import read_checkpoint, write_checkpoint  # noqa: E402
from pyfaceau.errors import PyFaceAUError  # noqa: E402
from pyfaceau.output import read_hog, read_openface_csv  # noqa: E402
from pyfaceau.prediction.files import au_files, read_au_models  # noqa: E402
from pymtcnn.dat import load_openface_weights, read_dat  # noqa: E402
from pymtcnn.errors import PyMTCNNError  # noqa: E402
from pymtcnn.networks import Convolution, FullyConnected, MaxPool, PReLU  # noqa: E402

OWN_ERRORS = (PyCLNFError, PyMTCNNError, PyFaceAUError)
N_POINTS = tiny_models.N_LANDMARKS
CUT = b"\n=====\n"  # between the files of an input that stands for several


@dataclass(frozen=True)
class Parser:
    """One parser and how it is fed.

    Attributes
    ----------
    read : callable
        Reads the file, and uses what it read as a program would.
    seeds : callable
        Makes small sound files.
    name : str
        Of the file; where it holds several, of all of them.
    beside : callable, optional
        Writes into a new folder what else has to be there.
    """

    read: Callable[[Path], object]
    seeds: Callable[[], list[bytes]]
    name: str = "file"
    beside: Callable[[Path], object] | None = None

    def folder(self, root: Path) -> Path:
        """Make a folder in which files can be read."""
        folder = Path(tempfile.mkdtemp(dir=root))
        if self.beside is not None:
            self.beside(folder)
        return folder

    def place(self, folder: Path, data: bytes) -> Path:
        """Write an input; the first of its files is returned."""
        names = self.name.split()
        for name, part in zip(names, [*data.split(CUT, len(names) - 1), b"", b""], strict=False):
            path = folder / name
            path.parent.mkdir(exist_ok=True)
            path.write_bytes(part)
        for left in (folder / names[0]).parent.glob(f"{Path(names[0]).name}-*"):  # by SQLite
            left.unlink()
        return folder / names[0]


def _read_matrices(make: Callable[[Path], Any]) -> Callable[[Path], None]:
    def read(path: Path) -> None:
        reader = make(path)
        reader.count("items", 1)
        reader.f64()
        while reader.remaining:
            reader.matrix()

    return read


def _matrices() -> bytes:
    parts = [tiny_models.ints(2), tiny_models.doubles(0.5)]
    parts += [tiny_models.matrix(np.arange(6).reshape(2, 3), kind) for kind in ("uint8", "int32", "float64")]
    return b"".join(parts)


def _written(write: Callable[[Path], object]) -> bytes:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "file"
        write(path)
        return path.read_bytes()


# -- landmark models ---------------------------------------------------------------------------------------------


def _model_around(key: str) -> Callable[[Path], None]:
    """Write the other files of a landmark model with `N_POINTS` points whose experts are in "file"."""

    def write(folder: Path) -> None:
        rng = np.random.default_rng(0)
        modes, _ = np.linalg.qr(rng.normal(size=(3 * N_POINTS, 2)))
        pdm = models.PDMFile(
            rng.normal(size=3 * N_POINTS).astype(np.float32),
            modes.astype(np.float32),
            np.array([4, 2], np.float32),
        )
        models.write_pdm(folder / "pdm.txt", pdm)
        (folder / "sub.txt").write_text(f"PDM pdm.txt\n{key} file\n")
        (folder / "main.txt").write_text("LandmarkDetector sub.txt\n")

    return write


def _read_experts(path: Path) -> None:
    """Load a model and compute the response maps of each view."""
    model = LandmarkModel.load(path.with_name("main.txt"))
    grey = np.arange(40 * 40, dtype=np.uint8).reshape(40, 40)
    landmarks = np.full(2 * N_POINTS, 20, np.float32)
    (experts,) = model.scales
    for view in range(min(len(experts.centres), 4)):
        maps = np.zeros((N_POINTS, 3, 16), np.float32)
        with np.errstate(all="ignore"):
            experts.responses(grey, landmarks, np.eye(2, dtype=np.float32), 3, view, maps)


def _head(n_views: int = 1) -> bytes:
    parts = [tiny_models.doubles(0.25), tiny_models.ints(n_views)]
    parts += [tiny_models.matrix(np.zeros((3, 1)), "float64")] * n_views
    parts += [tiny_models.matrix(np.ones((N_POINTS, 1)), "int32")] * n_views
    return b"".join(parts)


def _ccnf() -> list[bytes]:
    """Experts of the size that can be used, with a window's sigma components; and those of the tests."""
    template = tiny_models.matrix(np.ones((11, 11)), "float32")
    neuron = tiny_models.ints(2, 0) + tiny_models.doubles(1.5, 0.25, 3.0) + template
    expert = tiny_models.ints(5, 11, 11, 1) + neuron + tiny_models.doubles(0.5, 0.9)
    sigma = tiny_models.ints(1, 3, 1) + tiny_models.matrix(np.eye(9), "float32")
    return [_head() + sigma + N_POINTS * expert, tiny_models.ccnf()]


def _cen() -> list[bytes]:
    layers = tiny_models.ints(2) + tiny_models.matrix(np.ones((1, 2)), "float32")
    layers += tiny_models.matrix(np.full((2, 122), 0.1), "float16")
    layers += (
        tiny_models.ints(0) + tiny_models.matrix([[0.5]], "float32") + tiny_models.matrix([[1, 2]], "float32")
    )
    expert = tiny_models.ints(6, 11, 11, 2) + layers + tiny_models.doubles(0.9)
    empty = tiny_models.ints(6, 11, 11, 0) + tiny_models.doubles(0.9)
    mirrors = tiny_models.matrix([[1], [0], [2]], "int32") + tiny_models.matrix([[0]], "int32")
    return [_head() + mirrors + expert + empty + expert, tiny_models.cen(), tiny_models.cen("float16")]


def _svr() -> list[bytes]:
    template = "11 11 5\n" + "0.5 " * 121 + "\n"
    expert = f"3 11 11 2\n2 0 1.0 -2.5 0.5\n{template}2 1 0.5 -1.5 0.25\n{template}"
    text = f"# scale\n0.5\n1\n3 1 6\n0 0 0\n{N_POINTS} 1 4\n{'1 ' * N_POINTS}\n{N_POINTS * expert}"
    return [text.encode(), tiny_models.svr().encode()]


def _read_validator(path: Path) -> None:
    validator = DetectionValidator.from_file(path)
    grey = np.arange(900, dtype=np.uint8).reshape(30, 30)
    if validator.n_points <= 16:
        points = np.random.default_rng(0).uniform(5, 25, 2 * validator.n_points).astype(np.float32)
        with np.errstate(all="ignore"):
            validator.certainty((0, 0, 0), grey, points)


def _read_descriptions(path: Path) -> None:
    landmark_files(path)
    LandmarkModel.load(path)


_DESCRIPTIONS = (
    b"# a face\nLandmarkDetector sub.txt\nLandmarkDetector_part part.txt inner 0 0 1 1\nDetectionValidator none\n"
    b"FitSettings sigma_factor 1.5\n"
    + CUT
    + b"PDM pdm.txt\nPatchesCEN file\nEarlyTermination early.txt\n"
    + CUT
)


def _eyes() -> bytes:
    rng = np.random.default_rng(0)
    shapes: dict[str, tuple[int, ...]] = {
        "conv1": (1, 25), "conv2": (1, 9), "conv3": (1, 9), "conv4": (1, 9),
        "bias1": (1,), "bias2": (1,), "bias3": (1,), "bias4": (1,),
        "dense1": (14, 2), "offset1": (2,), "dense2": (2, 60), "offset2": (60,), "centre": (2,), "share": (),
    }  # fmt: skip
    stream = io.BytesIO()
    np.savez(stream, **{name: rng.normal(size=shape).astype(np.float16) for name, shape in shapes.items()})
    return stream.getvalue()


# -- detector and action units -----------------------------------------------------------------------------------


def _dat() -> list[bytes]:
    ones = np.ones
    layers = [
        Convolution(ones((2, 3, 3, 3), np.float32), ones(2, np.float32)),
        PReLU(ones(2, np.float32)),
        MaxPool(2, 2),
        FullyConnected(ones((2, 6), np.float32), ones(6, np.float32)),
    ]
    return [mtcnn_oracle.dat_bytes(layers)]


def _predictor(kind: int, size: int = 3) -> bytes:
    cutoff = tiny_models.doubles(0.3) if kind == 1 else b""
    classes = tiny_models.doubles(0, 1) if kind > 1 else b""
    means, weights = (
        tiny_models.matrix(np.ones((1, size)), "float64"),
        tiny_models.matrix(np.ones((size, 1)), "float64"),
    )
    return tiny_models.ints(kind) + cutoff + means + weights + tiny_models.doubles(0.4) + classes


def _au_models(folder: Path) -> None:
    (folder / "pdm.txt").write_text(tiny_models.pdm())
    (folder / "triangles.txt").write_text("1\n3\n4\n0 1 2\n")
    (folder / "good.dat").write_bytes(_predictor(0))
    (folder / "main_of_one.txt").write_text("AUPredictor one.txt\nPDM pdm.txt\nTriangulation triangles.txt\n")
    (folder / "one.txt").write_text("file AU01\n")


def _read_au_lists(path: Path) -> None:
    for call in (au_files, read_au_models):
        call(path)


# -- results, journals, checkpoints ------------------------------------------------------------------------------


def _hog() -> bytes:
    record = struct.pack("<iiif", 2, 2, 3, 1.0) + np.ones(12, "<f4").tobytes()
    return record + struct.pack("<iiif", 2, 2, 3, -1.0) + bytes(48)


_CSV = b"frame, face_id, timestamp, confidence, success, AU01_r\n1, 0, 0.000, 0.98, 1, 0.25\n2, 0, 0.033, 0.9, 1, nan\n"


def _journal() -> bytes:
    with tempfile.TemporaryDirectory() as folder:
        with Journal(Path(folder)) as journal:
            video = BatchVideo("/videos/1.mp4", "1", columns=(("group", "a"),))
            journal.begin([video], ["1.csv"])
            journal.fail(["/videos/1.mp4"], "no reason")
        return (Path(folder) / FOLDER / "journal.sqlite").read_bytes()


def _read_journal(path: Path) -> None:
    output = path.parent.parent
    for call in (read_entries, _open_journal):
        call(output)


def _open_journal(output: Path) -> None:
    with Journal(output) as journal:
        journal.identities()
        journal.entries()
        journal.begin([BatchVideo("/videos/2.mp4", "2")], ["2.csv"])


def _checkpoint() -> bytes:
    arrays = {"people.0.sum": np.arange(4, dtype=np.float32), "tracker.frame": np.array(3)}
    return _written(lambda path: write_checkpoint(path, {"mode": "video", "parts": []}, arrays))


def _read_manifest(path: Path) -> None:
    collect_videos([path], path.parent / "results")


_MANIFEST = b"path,person,neutral,group\n1.mp4,anna,yes,a\n2.mp4,anna,,b\n3.mp4,,1-50,\n"

PARSERS: dict[str, Parser] = {
    "binary_matrices": Parser(_read_matrices(models.BinaryReader), lambda: [_matrices()]),
    "text_matrices": Parser(
        _read_matrices(models.TextReader),
        lambda: [b"# n\n1\n0.5\n2 2 6\n1 2\n3e1 -0.25\n1 2 4\n-1 7\n1 1 5\n0.5\n"],
    ),
    "pdm": Parser(PDM.from_file, lambda: [tiny_models.pdm().encode()]),
    "ccnf": Parser(_read_experts, _ccnf, beside=_model_around("PatchesCCNF")),
    "svr": Parser(_read_experts, _svr, beside=_model_around("PatchesIntensity")),
    "cen": Parser(_read_experts, _cen, beside=_model_around("PatchesCEN")),
    "validator": Parser(_read_validator, lambda: [tiny_models.validator()]),
    "descriptions": Parser(
        _read_descriptions, lambda: [_DESCRIPTIONS], "start.txt sub.txt part.txt", _model_around("PatchesCEN")
    ),
    "eye_network": Parser(OpenEyes.from_file, lambda: [_eyes()]),
    "mtcnn_description": Parser(
        load_openface_weights, lambda: [b"PNet PNet.dat\r\nRNet RNet.dat\r\nONet ONet.dat\r\n"]
    ),
    "mtcnn_weights": Parser(lambda path: read_dat(path, "PNet"), _dat),
    "au_lists": Parser(
        _read_au_lists,
        lambda: [
            b"AUPredictor list.txt\r\nPDM pdm.txt\r\nTriangulation triangles.txt"
            + CUT
            + b"good.dat AU01\ngood.dat AU02\n"
        ],
        "main.txt list.txt",
        _au_models,
    ),
    "au_models": Parser(
        lambda path: read_au_models(path.with_name("main_of_one.txt")),
        lambda: [_predictor(kind) for kind in (0, 1, 4, 5)],
        beside=_au_models,
    ),
    "hog": Parser(read_hog, lambda: [_hog()]),
    "openface_csv": Parser(read_openface_csv, lambda: [_CSV, _CSV.replace(b", ", b",")], "file.csv"),
    "openface_csv_gz": Parser(read_openface_csv, lambda: [gzip.compress(_CSV, mtime=0)], "file.csv.gz"),
    "journal": Parser(_read_journal, lambda: [_journal()], f"{FOLDER}/journal.sqlite"),
    "checkpoint": Parser(read_checkpoint, lambda: [_checkpoint()], "file.run"),
    "manifest": Parser(_read_manifest, lambda: [_MANIFEST], "file.csv"),
}
