"""Draw docs/architecture.svg from the imports of the four packages: ``nox -s architecture``.

The parts and their modules stand in `PARTS`; the arrows are what the code imports, at once or in a function (imports
for types only do not count). Drawing fails if a module belongs to no part, or if a part imports one that
stands beside or above it: this is how the layers are kept. ``--check`` compares with the file instead of writing it.
"""

from __future__ import annotations

import ast
import sys
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from html import escape
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parent.parent
PICTURE = ROOT / "docs" / "architecture.svg"
PACKAGES = ("pyfaceau", "pyclnf", "pymtcnn", "pyfhog")
COLOURS = {"pyfaceau": "#dce9f7", "pyclnf": "#e3f1dc", "pymtcnn": "#fbeed5", "pyfhog": "#f3e0ec"}


class Part(NamedTuple):
    """A box of the picture: modules of a package that serve one purpose."""

    package: str
    title: str
    modules: str
    row: int
    left: int  # px
    width: int

    @property
    def key(self) -> str:
        """Name of the part."""
        return f"{self.package}: {self.title}"


PARTS = (
    Part("pyfaceau", "Commands", "cli", 0, 0, 1100),
    Part(
        "pyfaceau",
        "After the analysis: pages, pictures, findings",
        "report overlay demo selfcheck plots findings citing profiling",
        1, 0, 640,
    ),
    Part("pyfaceau", "Many recordings", "batch", 2, 660, 440),
    Part(
        "pyfaceau",
        "One analysis: what is asked for (options), with what (engine), what changes (run)",
        "pipeline sequence images at_rest run running parts people returning saved_runs checkpoint engine options "
        "models provenance rotation",
        3, 0, 1100,
    ),
    Part("pyfaceau", "Results go out", "output", 4, 220, 430),
    Part("pyfaceau", "One face: its values", "faces analyser analysis alignment features prediction "
         "result", 5, 220, 430),
    Part("pyfaceau", "Pictures come in", "video turned live inputs containers detectors", 6, 660, 440),
    Part("pyfaceau", "Words for everybody", "errors action_units quality kernels progress state", 7, 890, 210),
    Part("pyclnf", "Trackers", "tracking multi clnf identity cli", 8, 0, 200),
    Part("pyclnf", "Fit, pose, gaze", "core fit config pose gaze geometry image picture overlap open_eyes open_head "
         "open_arrays instructions", 10, 0, 640),
    Part("pyclnf", "Model files", "models store choice download manifest", 9, 370, 250),
    Part("pyclnf", "Reading and checking files", "io errors", 11, 0, 640),
    Part("pyclnf", "NumPy oracles of the kernels", "oracle", 10, 0, 0),
    Part("pymtcnn", "Detector", "detector cli", 9, 660, 210),
    Part("pymtcnn", "Engines", "engines backends cascade cache instructions", 10, 660, 210),
    Part("pymtcnn", "Networks, boxes", "networks weights dat packaged boxes pyramid detection image "
         "errors", 11, 660, 210),
    Part("pyfhog", "HOG", "fhog fhog_numpy kernels", 9, 220, 130),
)  # fmt: skip
OF_ALL_LAYERS = ("pyfaceau.migration",)  # old names of things of every layer
_DRAWN = tuple(part for part in PARTS if part.width)

_HEAD, _LINE, _GAP = 30, 15, 34
_LETTER = 6.7  # px of a letter of a module's name


def modules() -> Iterator[tuple[str, Path]]:
    """Yield the dotted name and the file of each module."""
    for package in PACKAGES:
        for path in sorted((ROOT / package / package).rglob("*.py")):
            name = path.relative_to(ROOT / package).with_suffix("").parts
            yield ".".join(name[:-1] if name[-1] == "__init__" else name), path


def exports(package: str) -> dict[str, str]:
    """Map what a package offers to the module that has it, such as "pyclnf.FaceTracker" to "pyclnf.tracking"."""
    found = {}
    for statement in ast.parse((ROOT / package / package / "__init__.py").read_text(encoding="utf-8")).body:
        if isinstance(statement, ast.ImportFrom):
            source = f"{package}.{statement.module}" if statement.level else statement.module
            found.update({f"{package}.{alias.name}": source for alias in statement.names})
    return found


def imported(tree: ast.Module, name: str, path: Path, known: dict[str, str]) -> Iterator[str]:
    """Yield the modules of the four packages that a module imports, sooner or later; `known` maps names to modules."""
    package = name.split(".") if path.name == "__init__.py" else name.split(".")[:-1]
    waiting: list[ast.stmt] = list(tree.body)
    while waiting:
        statement = waiting.pop()
        if isinstance(statement, ast.If) and "TYPE_CHECKING" in ast.dump(statement.test):
            waiting += statement.orelse
        elif isinstance(statement, ast.Import):
            yield from (alias.name for alias in statement.names)
        elif isinstance(statement, ast.ImportFrom):
            above = package[: len(package) - statement.level + 1] if statement.level else []
            source = ".".join([*above, *([statement.module] if statement.module else [])])
            for alias in statement.names:
                yield known.get(f"{source}.{alias.name}", source)
        else:
            for field in ("body", "orelse", "finalbody"):
                waiting += getattr(statement, field, [])
            for handler in getattr(statement, "handlers", []):
                waiting += handler.body


def part_of(module: str) -> Part | None:
    """Find the part of a module; None for a package itself and for names with an underscore, which belong to all."""
    package, _, inner = module.partition(".")
    inner = inner.partition(".")[0]
    if not inner or inner.startswith("_") or module in OF_ALL_LAYERS:
        return None
    for part in PARTS:
        if part.package == package and inner in part.modules.split():
            return part
    raise ValueError(f"{module} belongs to no part: add it to PARTS in docs/draw_architecture.py")


def arrows() -> Counter[tuple[str, str]]:
    """Count the imports from part to part; raises ValueError for one that goes sideways or up."""
    files = dict(modules())
    known = {name: name for name in files}
    for package in PACKAGES:
        known = exports(package) | known
    found: Counter[tuple[str, str]] = Counter()
    for name, path in files.items():
        part = part_of(name)
        tree = ast.parse(path.read_text(encoding="utf-8"))
        for target in imported(tree, name, path, known):
            if part is None or target.partition(".")[0] not in PACKAGES:
                continue
            other = part_of(target)
            if other is None or other == part:
                continue
            if other.row <= part.row:
                raise ValueError(
                    f"{name} ({part.title}) imports {target} ({other.title}), which is not below it"
                )
            found[part.key, other.key] += 1
    return found


def needed(edges: Iterable[tuple[str, str]]) -> list[tuple[str, str]]:
    """Leave out arrows that a chain of others stands for, and those to what everybody uses."""
    general = {
        part.key for part in PARTS if part.title in ("Words for everybody", "Reading and checking files")
    }
    kept = {edge for edge in edges if edge[1] not in general}
    after: dict[str, set[str]] = {}
    for start, end in kept:
        after.setdefault(start, set()).add(end)

    def reached(start: str) -> set[str]:
        direct = after.get(start, set())
        return direct.union(*(reached(each) for each in direct)) if direct else set()

    return sorted(
        (start, end)
        for start, end in kept
        if not any(end in reached(other) for other in after[start] if other != end)
    )


def wrapped(words: Sequence[str], width: int) -> list[str]:
    """Set words in lines of so many px."""
    lines = [""]
    for word in words:
        if lines[-1] and (len(lines[-1]) + len(word) + 2) * _LETTER > width - 20:
            lines.append("")
        lines[-1] += ("  " if lines[-1] else "") + word
    return lines


def draw() -> str:
    """Return the picture as SVG."""
    texts = {part.key: wrapped(part.modules.split(), part.width) for part in _DRAWN}
    tops, y = {}, 40
    for row in sorted({part.row for part in _DRAWN}):
        tops[row] = y
        y += max(_HEAD + _LINE * len(texts[part.key]) for part in _DRAWN if part.row == row) + _GAP
    boxes = {
        part.key: (part.left + 10, tops[part.row], part.width, _HEAD + _LINE * len(texts[part.key]))
        for part in _DRAWN
    }
    counts = arrows()
    out = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 1120 {y + 8}" font-family="sans-serif">',
        "<title>Parts of the four packages and what they import</title>",
        '<defs><marker id="tip" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="7" markerHeight="7" orient="auto">'
        '<path d="M0 0 8 4 0 8z" fill="#555"/></marker></defs>',
        f'<rect width="1120" height="{y + 8}" fill="#fff"/>',
    ]
    for n, package in enumerate(PACKAGES):
        out.append(
            f'<rect x="{10 + 110 * n}" y="10" width="14" height="14" fill="{COLOURS[package]}" stroke="#999"/>'
        )
        out.append(f'<text x="{30 + 110 * n}" y="22" font-size="13">{package}</text>')
    for start, end in needed(counts):
        if start in boxes and end in boxes:
            out.append(_arrow(boxes[start], boxes[end]))
    for part in _DRAWN:
        x, top, width, height = boxes[part.key]
        out.append(
            f'<rect x="{x}" y="{top}" width="{width}" height="{height}" rx="5" stroke="#888" '
            f'fill="{COLOURS[part.package]}"/>'
        )
        out.append(
            f'<text x="{x + 10}" y="{top + 18}" font-size="13" font-weight="bold">{escape(part.title)}</text>'
        )
        for n, line in enumerate(texts[part.key]):
            out.append(
                f'<text x="{x + 10}" y="{top + 35 + _LINE * n}" font-size="11" font-family="monospace" '
                f'xml:space="preserve">{line}</text>'
            )
    return "\n".join([*out, "</svg>"]) + "\n"


def _arrow(start: tuple[int, int, int, int], end: tuple[int, int, int, int]) -> str:
    """Draw straight down where the boxes overlap from left to right, else aslant."""
    left, right = max(start[0], end[0]), min(start[0] + start[2], end[0] + end[2])
    x1 = x2 = (left + right) // 2
    if left >= right:
        x1 = min(max(end[0] + end[2] // 2, start[0] + 20), start[0] + start[2] - 20)
        x2 = min(max(start[0] + start[2] // 2, end[0] + 20), end[0] + end[2] - 20)
    return (
        f'<line x1="{x1}" y1="{start[1] + start[3]}" x2="{x2}" y2="{end[1] - 2}" stroke="#555" stroke-width="1.3" '
        'marker-end="url(#tip)"/>'
    )


def main(arguments: Sequence[str]) -> int:
    """Write the picture, or compare with ``--check``."""
    drawn = draw()
    if "--check" not in arguments:
        PICTURE.write_text(drawn, encoding="utf-8")
        return 0
    if PICTURE.read_text(encoding="utf-8") == drawn:
        return 0
    print(f"{PICTURE.name} is not what the code looks like: run `nox -s architecture`", file=sys.stderr)
    return 1


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
