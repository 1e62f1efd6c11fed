"""What an installation brings and what an import does."""

from __future__ import annotations

import importlib.metadata
import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

from pyclnf.manifest import package_manifest

pytestmark = pytest.mark.slow

PACKAGES = ("pyfhog", "pymtcnn", "pyclnf", "pyfaceau")
IMPORT = """
import json, sys

def refuse_network(event, arguments):
    if event in ("socket.connect", "socket.getaddrinfo", "socket.bind"):
        raise RuntimeError(f"network at import: {event}")

sys.addaudithook(refuse_network)
__import__(sys.argv[1])
print(json.dumps(sorted(name.partition(".")[0] for name in sys.modules)))
"""


def modules_after_import(package: str, folder: Path) -> set[str]:
    command = [sys.executable, "-c", IMPORT, package]
    # Elsewhere than in the clone, whose folders look like packages.
    output = subprocess.run(command, capture_output=True, text=True, check=True, cwd=folder).stdout
    return set(json.loads(output))


@pytest.mark.parametrize("package", PACKAGES)
def test_import_needs_no_network_and_no_deep_learning_framework(package, tmp_path):
    assert not {"tensorflow", "torch", "keras", "mtcnn"} & modules_after_import(package, tmp_path)


@pytest.mark.parametrize("package", PACKAGES[:3])
def test_lower_packages_do_not_import_each_other(package, tmp_path):
    assert set(PACKAGES) & modules_after_import(package, tmp_path) == {package}


@pytest.mark.parametrize("package", PACKAGES[:3])
def test_lower_packages_do_not_require_each_other(package):
    required = [
        re.match(r"[\w-]+", requirement)[0]
        for requirement in importlib.metadata.requires(package) or []
        if "extra ==" not in requirement
    ]
    assert not set(PACKAGES) & set(required)


def test_pyfaceau_requires_version_2_of_the_others():
    requirements = [item.replace(" ", "") for item in importlib.metadata.requires("pyfaceau") or []]
    for package in PACKAGES[:3]:
        (pin,) = [item.removeprefix(package) for item in requirements if item.startswith(package)]
        assert set(pin.split(",")) == {">=2", "<3"}


@pytest.mark.parametrize("package", PACKAGES)
def test_versions_are_2(package):
    assert importlib.metadata.version(package).startswith("2.")


@pytest.mark.parametrize("package", ["pyclnf", "pyfaceau"])
def test_command_is_installed(package, tmp_path):
    command = Path(sys.executable).with_name(package)
    if not command.exists():
        pytest.skip(f"{package}'s command is not beside this Python")
    result = subprocess.run([command, "--version"], capture_output=True, text=True, check=True, cwd=tmp_path)
    assert result.stdout == f"{package} {importlib.metadata.version(package)}\n"


@pytest.mark.parametrize(
    ("package", "groups"),
    [
        ("pymtcnn", {"mtcnn"}),
        ("pyclnf", {"ceclm", "clnf", "validator", "extra"}),
        ("pyfaceau", {"au", "extra"}),
    ],
)
def test_each_package_brings_its_part_of_the_manifest(package, groups):
    assert set(package_manifest(package).groups) == groups
