"""Write the manifest of OpenFace 2.2.0's model files: `python -m weights.manifests.build FOLDER`.

FOLDER holds OpenFace's files under their paths in its repository (a checkout of tag `OpenFace_2.2.0`,
or the `originals` folder of an installation). Each package gets its part of the manifest: pymtcnn the face
detector, pyclnf the landmarks, pyfaceau the action units. The four CEN files are not in OpenFace's repository,
so their sizes and hashes are written down here.
"""

from __future__ import annotations

import hashlib
import json
import sys
from pathlib import Path
from typing import Any

from pyclnf.io import atomic_write
from pyclnf.manifest import MANIFEST_FILE
from pyclnf.models import landmark_files
from pyfaceau.prediction.files import au_files

# Package -> beginning of the paths of its files; the first that fits owns a file.
PARTS = {
    "pymtcnn": "lib/local/LandmarkDetector/model/mtcnn_detector/",
    "pyclnf": "lib/local/LandmarkDetector/",
    "pyfaceau": "lib/local/FaceAnalyser/",
}
# OpenFace's programs have their models beside them, without the beginnings of the paths.
PROGRAM_FOLDERS = ("lib/local/LandmarkDetector/", "lib/local/FaceAnalyser/")
MODEL = "lib/local/LandmarkDetector/model"
PREDICTORS = "lib/local/FaceAnalyser/AU_predictors"
CEN_GENERAL = f"{MODEL}/patch_experts/cen_patches_{{}}_of.dat"

# scale: size, SHA-256, Dropbox id, OneDrive resid, OneDrive authkey (OpenFace's download_models.sh)
CEN = {
    "0.25": (
        60602360,
        "99d3df9888115428075de7b8f1bc86176881de640c2fdf47e2ab0cee556661bf",
        ("7na5qsjzz8yfoer", "2E2ADA578BFF6E6E%2153072", "AKqoZtcN0PSIZH4"),
    ),
    "0.35": (
        60602360,
        "1070bff51b077ee6a18ce8e1ebbc6f568e1a7a469f6911a8263413878b3df469",
        ("k7bj804cyiu474t", "2E2ADA578BFF6E6E%2153079", "ANpDR1n3ckL_0gs"),
    ),
    "0.50": (
        154289792,
        "3f08124067e326e83e3261a55c79493e745b01138c9c1b59713dd9b17424168e",
        ("ixt4vkbmxgab1iu", "2E2ADA578BFF6E6E%2153074", "AGi-e30AfRc_zvs"),
    ),
    "1.00": (
        154289792,
        "bed961bbfa2cc41a709d44c1d1d8a92b2537bc46f2fd6ab430c137fedd0e21b0",
        ("2t5t1sdpshzfhpj", "2E2ADA578BFF6E6E%2153070", "AD6KjtYipphwBPc"),
    ),
}
LICENCE = {
    "name": "OpenFace Software License Agreement (Carnegie Mellon University)",
    "url": "https://github.com/TadasBaltrusaitis/OpenFace/blob/OpenFace_2.2.0/OpenFace-license.txt",
    "summary": (
        "OpenFace's models are for academic or non-profit, noncommercial research only. You may not sell, "
        "share or redistribute them or what you derive from them; derivatives belong to the licensor. They "
        "come without any warranty. Commercial use needs a licence from Carnegie Mellon University."
    ),
}


def groups_of_files(root: Path) -> dict[str, set[str]]:
    """Say which group needs which file, as the model descriptions name them."""
    needed = {
        "clnf": landmark_files(root / MODEL / "main_clnf_general.txt"),
        "ceclm": landmark_files(root / MODEL / "main_ceclm_general.txt"),
        "au": [
            path
            for name in ("main_dynamic_svms.txt", "main_static_svms.txt")
            for path in au_files(root / PREDICTORS / name)
        ],
        "mtcnn": [
            root / MODEL / "mtcnn_detector" / name
            for name in ("MTCNN_detector.txt", "PNet.dat", "RNet.dat", "ONet.dat")
        ],
    }
    groups: dict[str, set[str]] = {}
    for group, paths in needed.items():
        for path in paths:
            groups.setdefault(Path(path).relative_to(root).as_posix(), set()).add(group)
    for path in sorted(root.glob("lib/local/**/detection_validation/validator_cnn*.txt")):
        groups.setdefault(path.relative_to(root).as_posix(), set()).add("validator")
    for path in sorted(root.glob("lib/local/**/*")):
        if path.is_file():
            groups.setdefault(path.relative_to(root).as_posix(), {"extra"})
    return groups


def cen_entry(scale: str) -> dict[str, Any]:
    """Size, hash and links of one CEN file."""
    size, sha256, (dropbox, resid, authkey) = CEN[scale]
    name = f"cen_patches_{scale}_of.dat"
    return {
        "size": size,
        "sha256": sha256,
        "urls": [
            f"https://www.dropbox.com/s/{dropbox}/{name}?dl=1",
            f"https://onedrive.live.com/download?cid=2E2ADA578BFF6E6E&resid={resid}&authkey={authkey}",
        ],
    }


def build(root: Path) -> dict[str, dict[str, Any]]:
    """Make the parts of the manifest of the files under `root`, by package."""
    cen = {CEN_GENERAL.format(scale): cen_entry(scale) for scale in CEN}
    files: dict[str, list[dict[str, Any]]] = {package: [] for package in PARTS}
    for path, groups in sorted(groups_of_files(root).items()):
        entry = cen.get(path)
        if entry is None:
            data = (root / path).read_bytes()
            entry = {"size": len(data), "sha256": hashlib.sha256(data).hexdigest()}
        owner = next(package for package, beginning in PARTS.items() if path.startswith(beginning))
        files[owner].append({"path": path, "groups": sorted(groups), **entry})
    return {
        package: {
            "name": "OpenFace",
            "version": "2.2.0",
            "licence": LICENCE,
            "base_urls": [
                "https://raw.githubusercontent.com/TadasBaltrusaitis/OpenFace/OpenFace_2.2.0/",
                "https://github.com/TadasBaltrusaitis/OpenFace/raw/OpenFace_2.2.0/",
            ],
            "folders": [folder for folder in PROGRAM_FOLDERS if PARTS[package].startswith(folder)],
            "files": entries,
        }
        for package, entries in files.items()
    }


def main() -> None:
    """Write every package's part."""
    if len(sys.argv) != 2:
        sys.exit("usage: python -m weights.manifests.build FOLDER")
    repository = Path(__file__).resolve().parents[2]
    for package, part in build(Path(sys.argv[1]).resolve()).items():
        target = repository / package / package / MANIFEST_FILE
        with atomic_write(target, "w", encoding="utf-8", newline="\n") as stream:
            stream.write(json.dumps(part, indent=1) + "\n")


if __name__ == "__main__":
    main()
