"""`pyfaceau compare`: how far two results of one recording agree."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    import pandas as pd

    from ..findings import Agreement

_TABLE, _FRAMES, _PLOT = "agreement.csv", "worst_frames.csv", "bland_altman.png"
_PANELS = 4  # in a row


def compare(
    a: Annotated[Path, typer.Argument(help="CSV or Parquet of pyfaceau, or CSV of OpenFace.", metavar="A")],
    b: Annotated[Path, typer.Argument(help="Another result of the same recording.", metavar="B")],
    output: Annotated[
        Path | None,
        typer.Option(
            "--output", "-o", metavar="OUT", show_default=False,
            help=f"Folder for {_TABLE}, {_FRAMES} and {_PLOT}, with all columns.",
        ),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON instead of text.")] = False,
    columns: Annotated[
        str, typer.Option(help="Show and plot the columns that match this pattern.", metavar="REGEX")
    ] = r"AU\d\d_r.*|pose_.*|gaze_angle_.",
) -> None:  # fmt: skip
    """Compare two results: correlation, ICC, differences, and the frames that disagree most."""
    from ..errors import PyFaceAUError
    from ..findings import compare as compare_tables

    try:
        pattern = re.compile(columns)
    except re.error as error:
        raise typer.BadParameter(f"{columns!r} is no regular expression: {error}") from None
    try:
        found = compare_tables(a, b)
        shown = [name for name in found.columns.index if pattern.fullmatch(name)]
        if output is not None:
            _write(found, shown, output)
    except PyFaceAUError as error:
        typer.echo(f"pyfaceau: error: {error}", err=True)
        raise typer.Exit(1) from None
    if as_json:
        typer.echo(json.dumps(found.as_dict(), indent=1, ensure_ascii=False))
        return
    typer.echo(_text(found, found.columns.loc[shown]))
    if output is not None:
        written = [str(path) for name in (_TABLE, _FRAMES, _PLOT) if (path := output / name).exists()]
        typer.echo(f"\nwritten: {', '.join(written)}")


def _write(found: Agreement, shown: list[str], folder: Path) -> None:
    from ..errors import OutputError

    try:
        folder.mkdir(parents=True, exist_ok=True)
        found.columns.to_csv(folder / _TABLE)
        found.worst_frames(count=100).to_csv(folder / _FRAMES, index=False)
        if shown:
            _plot(found, shown, folder / _PLOT)
    except OSError as error:
        raise OutputError(f"{folder}: cannot be written ({error.strerror or error})") from error


def _plot(found: Agreement, shown: list[str], path: Path) -> None:
    from matplotlib.figure import Figure

    rows = -(-len(shown) // _PANELS)
    figure = Figure(figsize=(4 * _PANELS, 3.2 * rows), layout="constrained")
    panels = figure.subplots(rows, _PANELS, squeeze=False).ravel()
    for ax, name in zip(panels, shown, strict=False):
        found.plot(name, ax=ax)
    for ax in panels[len(shown) :]:
        ax.set_axis_off()
    figure.savefig(path, dpi=100)


def _text(found: Agreement, table: pd.DataFrame) -> str:
    counts = found.rows
    lines = [f"{counts['both']} rows in both, {counts['face_in_both']} with a face in both"]
    lines += [
        f"{counts[key]} {words}"
        for key, words in (
            ("face_only_in_a", "with a face in A only"),
            ("face_only_in_b", "with a face in B only"),
            ("only_in_a", "rows in A only"),
            ("only_in_b", "rows in B only"),
        )
        if counts[key]
    ]
    lines += ["", f"{'':16}{'r':>8}{'ICC(3,1)':>10}{'|A-B|':>10}{'A-B':>10}   limits of agreement"]
    for name, row in table.iterrows():
        lines.append(
            f"{name:16}{row['r']:8.3f}{row['icc']:10.3f}{row['mean_abs_difference']:10.4g}{row['bias']:10.3g}"
            f"   {row['lower']:.3g} to {row['upper']:.3g}"
        )
    if table.empty:
        lines.append("no columns to show; the option --columns chooses others")
    worst = found.worst_frames(count=5)
    if len(worst):
        lines += ["", "frames that disagree most (mean difference of the intensities):"]
        lines += ["  " + ", ".join(f"{key} {value:g}" if not isinstance(value, str) else f"{key} {value}"
                                   for key, value in row.items()) for row in worst.to_dict("records")]  # fmt: skip
    missing = [
        (name, columns) for name, columns in (("A", found.only_in_a), ("B", found.only_in_b)) if columns
    ]
    for name, columns in missing:
        more = f" and {len(columns) - 5} more" if len(columns) > 5 else ""
        lines.append(f"columns of {name} only: {', '.join(columns[:5])}{more}")
    return "\n".join(lines)
