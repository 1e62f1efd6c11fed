"""`pyfaceau verify`: whether this installation reproduces the reference."""

from __future__ import annotations

import json
from typing import Annotated, Any

import typer

from .quiet import be_quiet


def verify(
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON instead of text.")] = False,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Only the verdict.")] = False,
) -> None:
    """Analyse the packaged clip with every installed set of models, and compare with stored values.

    Ends with status 1 if one of them differs by more than two builds of OpenFace do. For the model files themselves
    there is `pyfaceau models verify`.
    """
    from ..citing import citations, methods_text
    from ..provenance import instruction_sets, versions
    from ..selfcheck import ModelCheck, self_check

    be_quiet(quiet or as_json)
    checks: list[ModelCheck] = []
    for check in self_check(clip=True):
        checks.append(check)
        if not (as_json or quiet):
            typer.echo(str(check))
    compared = [check for check in checks if check.figures]
    failed = [check for check in checks if check.state == "failed"]
    reproduced = bool(compared) and not failed
    # What failed without figures is worse than any number.
    worst = max(compared, key=lambda check: _nearness(check), default=None)
    best = next((c for c in reversed(checks) if c.state in ("passed", "no stored values")), None)
    paragraph, works = "", []
    if best is not None:
        models, _, landmarks = best.key.partition("-")
        landmarks = landmarks or "ceclm"
        remark = [_remark(best)] if best.state == "passed" else []
        paragraph, works = methods_text(models, landmarks, versions(), remark), citations(landmarks)
    if as_json:
        typer.echo(
            json.dumps(
                {
                    "reproduces": reproduced,
                    "worst": None if worst is None else {"models": worst.key, "figure": worst.worst},
                    "checks": [_record(check) for check in checks],
                    "versions": versions(),
                    "instruction_sets": instruction_sets(),
                    "methods": paragraph,
                    "citations": works,
                },
                indent=1,
                ensure_ascii=False,
            )
        )
    else:
        said = "" if worst is None else f", worst difference: {worst.said(worst.worst)}, {worst.name}"
        typer.echo(f"this installation reproduces the reference: {'yes' if reproduced else 'no'}{said}")
        if not quiet and paragraph:
            typer.echo("\n".join(["", "For a methods section:", "", paragraph, "", *works]))
    if not reproduced:
        raise typer.Exit(1)


def _nearness(check: Any) -> float:
    value, bound = check.figures[check.worst]
    return float(value / bound) if value == value else float("inf")


def _remark(check: Any) -> str:
    return (
        "The installation reproduced the stored values of the packaged clip within the differences between two builds "
        f"of OpenFace (largest, relative to these: {check.said(check.worst)})."
    )


def _record(check: Any) -> dict[str, Any]:
    figures = {
        name: {"difference": value if value == value else None, "allowed": bound}
        for name, (value, bound) in check.figures.items()
    }
    return {
        "models": check.key,
        "name": check.name,
        "state": check.state,
        "detail": check.detail,
        "figures": figures,
    }
