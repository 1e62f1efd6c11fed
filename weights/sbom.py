"""Write `docs/data-sources.cdx.json`: what the open models were trained on, as a CycloneDX bill of materials.

`python -m weights.sbom`. Hashes come from `weights/splits/data_manifest.json` and the packaged files; what a source
is, and under which terms, stands here.
"""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

REPOSITORY = Path(__file__).resolve().parents[1]
TARGET = REPOSITORY / "docs/data-sources.cdx.json"
MANIFEST = REPOSITORY / "weights/splits/data_manifest.json"
PACKS = (REPOSITORY / "pyclnf/pyclnf/models_open", REPOSITORY / "pyfaceau/pyfaceau/models_open")

# Folder of the training data: name, licence (SPDX, or words), origin.
SOURCES: dict[str, tuple[str, str, str]] = {
    "keypoints": (
        "Face crops of the Udacity facial-keypoints exercise (frames of YouTube Faces), 68 points each",
        "MIT",
        "weights/cards/landmark_labels.md",
    ),
    "clips": (
        "Eight clips of talking faces (YouTube Celebrities)",
        "research material, not redistributed",
        "weights/cards/au.md",
    ),
    "ict_facekit": ("ICT-FaceKit Light (USC ICT)", "MIT", "weights/cards/pdm_68_open.md"),
    "london": (
        "Face Research Lab London Set, L. DeBruine and B. Jones, 2017",
        "CC-BY-4.0",
        "https://doi.org/10.6084/m9.figshare.5047666",
    ),
    "unityeyes2": (
        "UnityEyes 2, Erroll Wood 2018, Alexander Smith and Brijesh Muthumanickam 2025",
        "MIT",
        "weights/cards/eyes_open.md",
    ),
    "mediapipe": (
        "MediaPipe Face Landmarker: points and blendshapes of the pictures above",
        "Apache-2.0",
        "weights/cards/landmark_labels.md",
    ),
}
SPDX = {"MIT", "CC-BY-4.0", "Apache-2.0"}


def bill() -> dict[str, Any]:
    """Collect sources and models."""
    manifest = json.loads(MANIFEST.read_text(encoding="utf-8"))
    unknown = {name.split("/")[0] for name in manifest} - set(SOURCES)
    if unknown:
        raise SystemExit(f"{MANIFEST}: no source is described for {', '.join(sorted(unknown))}")
    components = [_source(folder, manifest) for folder in SOURCES]
    components += [_model(pack, path) for pack in PACKS for path in sorted(pack.rglob("*")) if path.is_file()]
    return {
        "$schema": "http://cyclonedx.org/schema/bom-1.5.schema.json",
        "bomFormat": "CycloneDX",
        "specVersion": "1.5",
        "version": 1,
        "metadata": {"component": {"type": "machine-learning-model", "name": "pyfaceau's open models"}},
        "components": components,
    }


def _source(folder: str, manifest: dict[str, dict[str, Any]]) -> dict[str, Any]:
    name, licence, origin = SOURCES[folder]
    files = [
        {
            "type": "file",
            "name": path,
            # A folder is hashed as the list of its files' names and hashes.
            "hashes": _sha256(facts.get("sha256") or facts["sha256_of_names_and_hashes"]),
        }
        for path, facts in manifest.items()
        if path.split("/")[0] == folder
    ]
    reference = {"type": "website", "url": origin}
    return {
        "type": "data",
        "bom-ref": f"source:{folder}",
        "name": name,
        "licenses": [{"license": {"id" if licence in SPDX else "name": licence}}],
        "externalReferences": [reference],
        **({"components": files} if files else {}),
    }


def _model(pack: Path, path: Path) -> dict[str, Any]:
    name = f"{pack.parent.name}/{pack.name}/{path.relative_to(pack).as_posix()}"
    return {
        "type": "machine-learning-model",
        "bom-ref": f"model:{name}",
        "name": name,
        "licenses": [{"license": {"id": "MIT"}}],
        "hashes": _sha256(hashlib.sha256(path.read_bytes()).hexdigest()),
    }


def _sha256(value: str) -> list[dict[str, str]]:
    return [{"alg": "SHA-256", "content": value}]


def text() -> str:
    """Make the content of the file."""
    return json.dumps(bill(), indent=1, ensure_ascii=False) + "\n"


if __name__ == "__main__":
    TARGET.write_text(text(), encoding="utf-8")
