"""Check that a tag, the four versions, CITATION.cff and CHANGELOG.md agree: ``python .ci/release_check.py v2.0.0``."""

import re
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PACKAGES = ("pyfhog", "pymtcnn", "pyclnf", "pyfaceau")


def complaints(tag: str, root: Path = ROOT) -> list[str]:
    """List what does not fit the tag."""
    if not re.fullmatch(r"v\d+\.\d+\.\d+((a|b|rc)\d+)?", tag):
        return [f"{tag} is not a tag of a release, such as v2.0.0 or v2.1.0rc1"]
    version = tag[1:]
    found = []
    for package in PACKAGES:
        text = (root / package / package / "__init__.py").read_text(encoding="utf-8")
        match = re.search(r'^__version__ = "(.+)"$', text, re.MULTILINE)
        if match is None or match[1] != version:
            found.append(f"{package} has version {match and match[1]}")
    citation = (root / "CITATION.cff").read_text(encoding="utf-8")
    if f"\nversion: {version}\n" not in citation:
        found.append("CITATION.cff has another version")
    changes = (root / "CHANGELOG.md").read_text(encoding="utf-8")
    if not re.search(rf"^## {re.escape(version)} \(\d{{4}}-\d\d-\d\d\)$", changes, re.MULTILINE):
        found.append(f"CHANGELOG.md has no heading `## {version} (YYYY-MM-DD)`")
    return found


def main(arguments: list[str]) -> int:
    """Print the complaints; exit status 1 if there are any."""
    if len(arguments) != 1:
        print(__doc__, file=sys.stderr)
        return 2
    found = complaints(arguments[0])
    for line in found:
        print(f"{arguments[0]}: {line}", file=sys.stderr)
    return int(bool(found))


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
