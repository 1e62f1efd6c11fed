"""Compare every stage with the C++ reference and print one table: `python tests/parity`.

Each stage is a module beside this one with a function ``rows(shared)`` that yields `table.Row`s. The exit
status is 1 if a bar is missed or a stage fails, else 0, also where there is no reference material.
"""

from __future__ import annotations

import argparse
import importlib
import json
import os
import subprocess
import sys
import time
import traceback
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path

from table import Row, format_table

from pyclnf import available_instruction_sets, instruction_set

REPOSITORY = Path(__file__).resolve().parents[2]
STAGES = ("stage_mtcnn", "landmarks", "stage_au", "end_to_end", "open_pack")
BY_NAME = ("numpy_form",)  # slow, and about a form that nobody gets who has a wheel or a compiler


def stage_rows(stage: str, shared: Path) -> Iterator[Row]:
    """Yield a stage's rows; a stage that fails is a missed bar and does not hide the others."""
    start = time.perf_counter()
    try:
        for row in importlib.import_module(stage).rows(shared):
            print(f"{stage}: {row.stage}: {row.measured}", file=sys.stderr, flush=True)
            yield row
    except Exception as error:
        traceback.print_exc()
        yield Row(stage, "runs", f"{type(error).__name__}: {error}", False)
    print(f"{stage}: {time.perf_counter() - start:.1f} s", file=sys.stderr, flush=True)


def main() -> int:
    """Run the stages."""
    parser = argparse.ArgumentParser(prog="parity", description=__doc__.splitlines()[0])
    parser.add_argument(
        "stages", nargs="*", metavar="STAGE", help=f"only these of: {', '.join((*STAGES, *BY_NAME))}"
    )
    parser.add_argument("--json", type=Path, metavar="OUT", help="also write the rows to this file")
    parser.add_argument(
        "--every-set",
        action="store_true",
        help="one table for each instruction set of this machine; OUT then gets the set's name",
    )
    arguments = parser.parse_args()
    unknown = set(arguments.stages) - {*STAGES, *BY_NAME}
    if unknown:
        parser.error(f"no stage {', '.join(sorted(unknown))}; there are {', '.join((*STAGES, *BY_NAME))}")
    shared = Path(os.environ.get("PYFACEAU_SHARED", REPOSITORY.parent / "shared")).resolve()
    if not (shared / "gold").is_dir():
        print(f"parity skipped: no reference material in {shared} (set PYFACEAU_SHARED to its folder)")
        return 0
    if arguments.every_set:
        return max([_run_with(name, arguments) for name in available_instruction_sets()])
    os.environ.setdefault("OPENFACE_MODELS_DIR", str(shared / "openface"))
    rows = [row for stage in arguments.stages or STAGES for row in stage_rows(stage, shared)]
    print(f"Kernels of the instruction set {instruction_set()}.\n\n{format_table(rows)}")
    if arguments.json is not None:
        arguments.json.write_text(
            json.dumps(
                {"instruction_set": instruction_set(), "rows": [asdict(row) for row in rows]}, indent=1
            )
            + "\n",
            encoding="utf-8",
        )
    return 0 if rows and all(row.passed for row in rows) else 1


def _run_with(name: str, arguments: argparse.Namespace) -> int:
    """Run the stages in a process that uses one instruction set."""
    command = [sys.executable, str(Path(__file__).parent), *arguments.stages]
    if arguments.json is not None:
        command += ["--json", str(arguments.json.with_stem(f"{arguments.json.stem}-{name}"))]
    environment = os.environ | {"PYFACEAU_INSTRUCTION_SET": name}
    sys.stdout.flush()
    return subprocess.run(command, check=False, env=environment).returncode


if __name__ == "__main__":
    sys.exit(main())
