"""What is packaged: one version, the licences of what is compiled in, the models that `weights/` says it trained."""

from __future__ import annotations

import hashlib
import importlib
import importlib.metadata
import json
import subprocess
import sys
import tarfile
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parents[1]
PACKAGES = ("pyfhog", "pymtcnn", "pyclnf", "pyfaceau")
COMPILED_IN = {
    "pyfhog": {"LICENSE-dlib.txt", "LICENSE-pybind11.txt"},
    "pymtcnn": {"LICENSE-pybind11.txt"},
    "pyclnf": {"LICENSE-pybind11.txt"},
    "pyfaceau": set(),
}
# Written by hand: they name the trained files.
DESCRIPTIONS = {"cen_general.txt", "main_ceclm_general.txt"}
TRAINED, DRAWN = (
    json.loads((REPOSITORY / f"weights/manifests/{name}.json").read_text(encoding="utf-8"))
    for name in ("au", "drawn_face")
)


def test_the_four_packages_have_one_version():
    versions = {importlib.import_module(name).__version__ for name in PACKAGES}
    assert len(versions) == 1
    assert {importlib.metadata.version(name) for name in PACKAGES} == versions


@pytest.fixture(scope="module", params=PACKAGES)
def sdist(request, tmp_path_factory):
    """Package name and the names of the files in its source distribution, by path below its top folder."""
    pytest.importorskip("scikit_build_core", reason="needs scikit-build-core to make a source distribution")
    folder = tmp_path_factory.mktemp("sdist")
    make = "import sys; from scikit_build_core.build import build_sdist; build_sdist(sys.argv[1])"
    subprocess.run([sys.executable, "-c", make, str(folder)], cwd=REPOSITORY / request.param, check=True)
    (archive,) = folder.glob("*.tar.gz")
    with tarfile.open(archive) as tar:
        files = {
            member.name.split("/", 1)[1]: tar.extractfile(member).read() for member in tar if member.isfile()
        }
    return request.param, files


def test_source_distributions_bring_licences_version_and_no_leftovers(sdist):
    package, files = sdist
    version = importlib.import_module(package).__version__
    metadata = files["PKG-INFO"].decode()
    assert f"\nVersion: {version}\n" in metadata
    licences = {"LICENSE", *COMPILED_IN[package]}
    assert {name for name in files if name.startswith("LICENSE")} == licences
    assert {
        line.removeprefix("License-File: ") for line in metadata.splitlines() if "License-File" in line
    } == licences
    assert files["LICENSE"] == (REPOSITORY / "LICENSE").read_bytes()
    tops = {name.split("/")[0] for name in files}
    assert not tops & {"tests", "build", "dist", "_skbuild", ".venv"}
    assert not [name for name in files if name.endswith((".so", ".o", ".pyc", ".log"))]


@pytest.mark.parametrize(
    ("package", "part"), [("pyclnf", "landmark models"), ("pyfaceau", "models")], ids=["pyclnf", "pyfaceau"]
)
def test_packaged_models_are_the_bytes_that_were_trained(package, part):
    folder = Path(importlib.import_module(package).__file__).parent / "models_open"
    found = {
        path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in folder.rglob("*")
        if path.is_file()
    }
    # Hashed by the run that wrote the action-unit models, with the landmark models that it used.
    recorded = TRAINED[part] | DRAWN.get(part, {})
    assert set(found) - DESCRIPTIONS <= set(recorded)
    assert {name: found[name] for name in found if name not in DESCRIPTIONS} == {
        name: recorded[name] for name in found if name not in DESCRIPTIONS
    }


def test_the_bill_of_data_sources_is_up_to_date():
    command = [sys.executable, "-c", "import sys; from weights.sbom import text; sys.stdout.write(text())"]
    made = subprocess.run(command, cwd=REPOSITORY, capture_output=True, check=True, encoding="utf-8")
    written = (REPOSITORY / "docs/data-sources.cdx.json").read_text(encoding="utf-8")
    assert json.loads(made.stdout) == json.loads(written)


def test_the_bill_of_data_sources_says_where_each_source_is_from_and_on_which_terms():
    components = json.loads((REPOSITORY / "docs/data-sources.cdx.json").read_text(encoding="utf-8"))[
        "components"
    ]
    sources = [component for component in components if component["type"] == "data"]
    assert {source["bom-ref"].removeprefix("source:") for source in sources} >= {
        name.split("/")[0]
        for name in json.loads((REPOSITORY / "weights/splits/data_manifest.json").read_text(encoding="utf-8"))
    }
    for source in sources:
        (reference,) = source["externalReferences"]
        assert reference["url"].startswith("https://") or (REPOSITORY / reference["url"]).is_file()
        assert source["licenses"]
