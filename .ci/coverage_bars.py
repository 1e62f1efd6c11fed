"""Compare a JSON report of coverage.py with the project's bars: ``python .ci/coverage_bars.py REPORT``."""

import json
import sys
from pathlib import Path

LINES, BRANCHES = 90.0, 85.0  # %


def main(report: str) -> int:
    """Print both shares; exit status 1 if one is below its bar."""
    totals = json.loads(Path(report).read_text(encoding="utf-8"))["totals"]
    found = {
        "lines": (100 * totals["covered_lines"] / totals["num_statements"], LINES),
        "branches": (100 * totals["covered_branches"] / totals["num_branches"], BRANCHES),
    }
    for name, (share, bar) in found.items():
        print(f"{name}: {share:.1f} %, {'at least' if share >= bar else 'BELOW'} {bar:.0f} %")
    return int(any(share < bar for share, bar in found.values()))


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1]))
