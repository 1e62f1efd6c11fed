"""Use one installed package without the others: `python tests/use_alone.py [--compiled] pyclnf`.

With `--compiled` it is an error if its kernels are NumPy's. The package may be named by its folder in the clone.
"""

from __future__ import annotations

import importlib
import importlib.util
import sys
import tempfile
from pathlib import Path

import numpy as np

SIBLINGS = ("pyfhog", "pymtcnn", "pyclnf", "pyfaceau")


def use_pyfhog() -> None:
    from pyfhog import extract_fhog

    features = extract_fhog(np.random.default_rng(0).integers(0, 256, (112, 112, 3), np.uint8))
    assert features.shape == (12, 12, 31), features.shape


def use_pymtcnn() -> None:
    from pymtcnn import MTCNN

    assert MTCNN().detect(np.zeros((120, 160, 3), np.uint8)) == []


def use_pyclnf() -> None:
    from pyclnf import PDM
    from pyclnf.io import PDMFile, write_pdm

    mean = np.array([-30, 30, 0, 0, 0, 40, 10, 10, -10], np.float32)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "pdm.txt"
        write_pdm(path, PDMFile(mean, np.eye(9, 1, dtype=np.float32), np.ones(1, np.float32)))
        pdm = PDM.from_file(path)
    assert (pdm.n_points, pdm.n_modes) == (3, 1)
    assert pdm.shape_3d(np.zeros(1, np.float32)).shape == (3, 3)


def main() -> None:
    # The folders of the clone must not be mistaken for the installed packages.
    sys.path[:] = [entry for entry in sys.path if entry and not (Path(entry) / "noxfile.py").exists()]
    *options, folder = sys.argv[1:]
    package = Path(folder).name
    others = [name for name in SIBLINGS if name != package and importlib.util.find_spec(name) is not None]
    assert not others, f"{others} came along with {package}"
    {"pyfhog": use_pyfhog, "pymtcnn": use_pymtcnn, "pyclnf": use_pyclnf}[package]()
    if options == ["--compiled"]:
        kernels = importlib.import_module(package).instruction_set()
        assert kernels != "numpy", f"{package} was not compiled"


if __name__ == "__main__":
    main()
