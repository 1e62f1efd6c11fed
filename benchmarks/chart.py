"""Draw the README's chart from benchmarks/results: ``python -m benchmarks.chart``.

It shows how many times as fast as the C++ program each case is, on the instruction sets that were measured.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
from pathlib import Path
from typing import Any

import matplotlib

matplotlib.use("svg")
import matplotlib.pyplot as plt

_HERE = Path(__file__).parent
_SETS = {"avx512": ("AVX-512", "#2a5d84"), "avx2": ("AVX2", "#8fb8d6"), "baseline": ("baseline", "#c9c9c9")}


def main() -> int:
    """Run the command line."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.chart", description=__doc__)
    parser.add_argument("--results", default=str(_HERE / "results"))
    parser.add_argument("--output", default=str(_HERE.parent / "docs" / "speed.svg"))
    arguments = parser.parse_args()
    reports = _comparisons(Path(arguments.results))
    if not reports:
        raise SystemExit(
            f"no result in {arguments.results} holds a comparison: run benchmarks.speed --reference"
        )
    draw(reports, Path(arguments.output))
    return 0


def draw(reports: list[dict[str, Any]], path: Path) -> None:
    """Draw bars of the median ratios, with the range of the pairs.

    Parameters
    ----------
    reports : list of dict
        Of ``benchmarks.speed`` with ``--reference``.
    path : Path
        Of the SVG file.
    """
    cases = list(dict.fromkeys(_case(report) for report in reports))
    sets = [name for name in _SETS if any(report["machine"]["instruction_set"] == name for report in reports)]
    plt.rcParams.update({"svg.hashsalt": "pyfaceau", "svg.fonttype": "none", "font.size": 10})
    figure, axes = plt.subplots(figsize=(7.2, 0.9 + 0.34 * len(cases) * len(sets)), layout="constrained")
    height = 0.8 / len(sets)
    for k, name in enumerate(sets):
        label, colour = _SETS[name]
        found = {
            _case(r): r["reference"]["ratios"] for r in reports if r["machine"]["instruction_set"] == name
        }
        places = [i + (k - (len(sets) - 1) / 2) * height for i, case in enumerate(cases) if case in found]
        ratios = [found[case] for case in cases if case in found]
        middles = [statistics.median(r) for r in ratios]
        spread = [
            [m - min(r) for m, r in zip(middles, ratios, strict=True)],
            [max(r) - m for m, r in zip(middles, ratios, strict=True)],
        ]
        axes.barh(places, middles, height * 0.9, color=colour, label=label)
        axes.errorbar(middles, places, xerr=spread, fmt="none", ecolor="#333333", elinewidth=1)
        for place, middle, far in zip(places, middles, spread[1], strict=True):
            axes.text(middle + far + 0.05, place, f"{middle:.1f} x", va="center")
    axes.axvline(1.0, color="#b03a2e", linewidth=1)
    axes.set_yticks(range(len(cases)), cases)
    axes.invert_yaxis()
    axes.set_xlabel("times as fast as the C++ OpenFace (red line), whole command")
    axes.set_xlim(0, 1.15 * max(max(r["reference"]["ratios"]) for r in reports))
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend(frameon=False, loc="lower left", bbox_to_anchor=(0, 1), ncols=len(sets))
    figure.savefig(path, metadata={"Date": None})
    plt.close(figure)


def _comparisons(folder: Path) -> list[dict[str, Any]]:
    reports = [json.loads(path.read_text(encoding="utf-8")) for path in sorted(folder.glob("*.json"))]
    return [report for report in reports if isinstance(report, dict) and report.get("reference")]


def _case(report: dict[str, Any]) -> str:
    kind = report["landmarks"]
    if "ceclm" in kind:
        kind = "CE-CLM of OpenFace's size" if kind.startswith("bigcen") else "CE-CLM, small experts"
    return f"{kind if kind.startswith('CE') else kind.upper()}\n{report['video']}"


if __name__ == "__main__":
    sys.exit(main())
