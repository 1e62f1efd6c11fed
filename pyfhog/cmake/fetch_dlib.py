"""Fetch dlib's source release through pip, verify its hash and unpack its headers.

Usage: ``python fetch_dlib.py REQUIREMENTS_FILE TARGET_FOLDER``. pip brings the user's own index, proxy and
certificate settings; the requirements file pins version and SHA-256. Only headers and the licence are
unpacked.
"""

from __future__ import annotations

import hashlib
import importlib.util
import os
import re
import shutil
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path, PurePosixPath

PROBE = Path("dlib") / "image_transforms" / "fhog.h"


def main(requirements: Path, target: Path) -> int:
    """Place the headers at `target`; return 0, or 1 with the reason on stderr."""
    pattern = r"^(\w+)==(\S+)\s+--hash=sha256:([0-9a-f]{64})"
    pinned = re.search(pattern, requirements.read_text(), re.MULTILINE)
    if pinned is None:
        print(f"{requirements}: no pinned requirement found", file=sys.stderr)
        return 1
    name, version, sha256 = pinned.groups()
    if (target / PROBE).is_file():
        return 0
    target.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=target.parent) as folder:
        archive = download(requirements, name, Path(folder))
        if archive is None:
            print(f"pip could not download {name} {version}; its messages are above", file=sys.stderr)
            return 1
        found = hashlib.sha256(archive.read_bytes()).hexdigest()
        if found != sha256:
            print(f"{archive.name}: SHA-256 is {found}, expected {sha256}", file=sys.stderr)
            return 1
        unpacked = Path(folder) / "headers"
        unpack_headers(archive, unpacked)
        if not (unpacked / PROBE).is_file():
            print(f"{archive.name} holds no {PROBE.as_posix()}", file=sys.stderr)
            return 1
        shutil.rmtree(target, ignore_errors=True)
        os.replace(unpacked, target)
    return 0


def download(requirements: Path, name: str, folder: Path) -> Path | None:
    """Let pip download the source archive into `folder`; None if it fails."""
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check"]
    command += ["--no-deps", "--no-binary", name, "--dest", str(folder)]
    command += ["--require-hashes", "--requirement", str(requirements)]
    # pip asks the archive for its metadata, which takes these modules (all are in this package's build
    # requirements). Where one is missing, pip gets dlib's build requirements for an environment of its own.
    if all(importlib.util.find_spec(module) for module in ("setuptools", "wheel", "packaging")):
        command.append("--no-build-isolation")
    # stdout to stderr: CMake shows both, but a build front end may parse our stdout.
    if subprocess.run(command, stdout=sys.stderr, check=False).returncode != 0:
        return None
    archives = sorted(folder.glob(f"{name}-*.tar.gz"))
    return archives[0] if len(archives) == 1 else None


def unpack_headers(archive: Path, target: Path) -> None:
    """Write the archive's headers and licences below `target`, without its top folder."""
    with tarfile.open(archive, "r:gz") as tar:
        for member in tar:
            parts = PurePosixPath(member.name).parts[1:]
            wanted = bool(parts) and parts[0] == "dlib" and parts[-1].endswith((".h", ".hpp"))
            if not member.isfile() or ".." in parts or not (wanted or parts[-1:] == ("LICENSE.txt",)):
                continue
            source = tar.extractfile(member)
            if source is None:
                continue
            path = target.joinpath(*parts)
            path.parent.mkdir(parents=True, exist_ok=True)
            with source, path.open("wb") as file:
                shutil.copyfileobj(source, file)


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    sys.exit(main(Path(sys.argv[1]), Path(sys.argv[2])))
