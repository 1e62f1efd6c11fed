"""C++ that two packages need stands once, and a source distribution of each package builds far from the clone."""

from __future__ import annotations

import re
import subprocess
import sys
import tarfile
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parents[1]
NATIVE = REPOSITORY / "native"
SOURCES = {name: REPOSITORY / name / "src/cpp" for name in ("pyclnf", "pymtcnn", "pyfhog")}
USERS = ("pyclnf", "pymtcnn")


def test_shared_files_stand_once():
    for folder in SOURCES.values():
        assert not {path.name for path in folder.iterdir()} & {path.name for path in NATIVE.iterdir()}


@pytest.mark.parametrize("package", USERS)
def test_no_structure_is_declared_twice(package):
    files = [*SOURCES[package].glob("*.[hc]pp"), *NATIVE.glob("*.hpp")]
    names = [
        name for path in files for name in re.findall(r"^struct (\w+) \{", path.read_text(), re.MULTILINE)
    ]
    assert len(names) > 5
    assert sorted(names) == sorted(set(names))


@pytest.fixture(scope="module")
def build(tmp_path_factory):
    pytest.importorskip("scikit_build_core", reason="needs scikit-build-core to make a source distribution")
    return tmp_path_factory.mktemp("sdist")


@pytest.mark.parametrize("package", USERS)
def test_a_source_distribution_builds_without_the_clone(package, build):
    """What the archive holds is compiled in an empty folder, so that nothing beside it can help."""
    make = "import sys; from scikit_build_core.build import build_sdist; build_sdist(sys.argv[1])"
    subprocess.run([sys.executable, "-c", make, str(build)], cwd=REPOSITORY / package, check=True)
    (archive,) = build.glob(f"{package}-*.tar.gz")
    with tarfile.open(archive) as file:
        file.extractall(build / "away", filter="data")
    (folder,) = (build / "away").glob(f"{package}-*")
    for path in NATIVE.iterdir():
        assert (folder / "native" / path.name).read_bytes() == path.read_bytes()
    assert not (folder / "tests").exists()
    target = build / f"installed-{package}"
    command = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--no-build-isolation"]
    subprocess.run([*command, "--target", str(target), str(folder)], cwd=build, check=True)
    (module,) = (path for path in (target / package).glob("_core.*") if path.suffix != ".pyi")
    # By its path, as an editable installation of the clone would answer to the name.
    code = "import importlib.util, sys; spec = importlib.util.spec_from_file_location('_core', sys.argv[1]); "
    code += "core = importlib.util.module_from_spec(spec); spec.loader.exec_module(core); "
    code += "print(core.instruction_sets()[0])"
    result = subprocess.run(
        [sys.executable, "-I", "-c", code, str(module)], cwd=build, check=True, capture_output=True, text=True
    )
    assert result.stdout == "baseline\n"
