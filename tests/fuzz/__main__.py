"""`python tests/fuzz [PARSER ...] --minutes N`: fuzz parsers with Atheris, one after the other, and print figures."""

from __future__ import annotations

import argparse
import json
import re
import subprocess
import sys
import tempfile
import time
from pathlib import Path

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE.parent))

from fuzz.parsers import PARSERS  # noqa: E402

CORPUS = HERE / "corpus"
_STATUS = re.compile(r"^#(\d+)\s.*cov: (\d+) ft: (\d+) corp: (\d+)/", re.MULTILINE)
_LONGEST = 16384  # bytes of an input


def fuzz(name: str, minutes: float, out: Path) -> dict[str, object]:
    """Fuzz one parser; findings and libFuzzer's messages go into a folder.

    Parameters
    ----------
    name : str
    minutes : float
    out : Path

    Returns
    -------
    dict
        Executions, edges and features covered, size of the corpus, findings (exceptions that are not our own) and
        crashes (what ends the process: signals, timeouts, memory).
    """
    findings, corpus = out / name / "findings", out / name / "corpus"
    for folder in (findings, corpus):
        folder.mkdir(parents=True, exist_ok=True)
    for number, seed in enumerate(PARSERS[name].seeds()):
        (corpus / f"seed-{number}").write_bytes(seed)
    end, executions, edges, features, inputs, starts = time.monotonic() + 60 * minutes, 0, 0, 0, 0, 0
    while (left := int(end - time.monotonic())) > 0:
        log = out / name / f"log-{starts}.txt"
        with log.open("wb") as stream:
            known = [str(folder) for folder in (CORPUS / name,) if folder.is_dir()]
            subprocess.run(
                [
                    *(
                        sys.executable,
                        str(HERE / "guided.py"),
                        name,
                        str(findings),
                        f"-max_total_time={left}",
                    ),
                    *("-timeout=10", "-rss_limit_mb=2048", f"-max_len={_LONGEST}", f"-seed={starts + 1}"),
                    *("-print_final_stats=1", f"-artifact_prefix={findings}/", str(corpus), *known),
                ],
                stdout=stream,
                stderr=subprocess.STDOUT,
                check=False,
            )
        starts += 1
        statuses = _STATUS.findall(log.read_text(errors="replace"))
        if not statuses:
            raise SystemExit(f"{name}: nothing was executed; see {log}")
        executions += int(statuses[-1][0])
        edges, features, inputs = (max(int(s[k]) for s in statuses) for k in (1, 2, 3))
    crashes = [path for path in findings.iterdir() if re.match("crash-|timeout-|oom-|leak-", path.name)]
    return {
        "parser": name,
        "minutes": minutes,
        "executions": executions,
        "edges": edges,
        "features": features,
        "corpus": inputs,
        "findings": len([*findings.glob("*.txt")]),
        "crashes": len(crashes),
    }


def main() -> int:
    """Run the command."""
    parser = argparse.ArgumentParser(prog="fuzz", description=__doc__)
    parser.add_argument(
        "parsers", nargs="*", metavar="PARSER", help=f"of {', '.join(PARSERS)}; all by default"
    )
    parser.add_argument("--minutes", type=float, default=10, help="for each parser")
    parser.add_argument("--out", type=Path, help="folder of findings and logs; a temporary one by default")
    arguments = parser.parse_args()
    unknown = [name for name in arguments.parsers if name not in PARSERS]
    if unknown:
        parser.error(f"no parser {unknown[0]!r}; there are {', '.join(PARSERS)}")
    out = arguments.out or Path(tempfile.mkdtemp(prefix="fuzz-"))
    found = 0
    for name in arguments.parsers or PARSERS:
        figures = fuzz(name, arguments.minutes, out.absolute())
        print(json.dumps(figures), flush=True)
        with (out / "figures.jsonl").open("a") as stream:
            stream.write(json.dumps(figures) + "\n")
        found += bool(figures["findings"] or figures["crashes"])
    print(f"findings and logs are in {out}")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
