"""Fills the page templates: everything is escaped, and nothing but the page's own style and script may run."""

from __future__ import annotations

import base64
import hashlib
import json
import os
from collections.abc import Mapping, Sequence
from datetime import datetime, timezone
from functools import lru_cache
from pathlib import Path
from typing import Any
from urllib.parse import quote

import jinja2

from pyclnf.io import atomic_write

from .. import __version__
from ..errors import OutputError

_PAGES = Path(__file__).parent / "page"
#: In the order in which they are put together.
SCRIPTS = ("data.js", "drawing.js", "clock.js", "tracks.js", "main.js")
_STYLE = "style.css"


def render(template: str, content: Mapping[str, Any], *, scripted: bool = False) -> str:
    """Fill a template.

    Parameters
    ----------
    template : str
        File in ``page/``.
    content : mapping
        What the template names; ``data`` is embedded as JSON.
    scripted : bool
        The page has the player's script.

    Returns
    -------
    str
        HTML.
    """
    style = _read(_STYLE)
    script = _script() if scripted else ""
    values = {
        **content,
        "style": style,
        "script": script,
        "policy": _policy(style, script),
        "data": _json(content.get("data", {})),
        "version": __version__,
        "made": now().strftime("%Y-%m-%d %H:%M %Z"),
    }
    text = _environment().get_template(template).render(values)
    # File names that are no Unicode hold lone surrogates, which no file can.
    return text.encode("utf-8", "replace").decode("utf-8")


def write_page(path: str | os.PathLike[str], text: str) -> Path:
    """Write a page, whole or not at all.

    Raises
    ------
    OutputError
        It cannot be written.
    """
    path = Path(path)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with atomic_write(path, "w", encoding="utf-8", newline="\n") as stream:
            stream.write(text)
    except OSError as error:
        raise OutputError(f"{path}: cannot be written ({error.strerror or error})") from error
    return path


def page_beside(result: Path) -> Path:
    """Return where the page of a result goes by default: NAME_report.html beside it."""
    return result.with_name(f"{result.stem}_report.html")


def check_page(path: Path) -> None:
    """Refuse a path that is no name of a page.

    Raises
    ------
    OutputError
        It does not end in .html or .htm, or is a folder.
    """
    if path.suffix.lower() not in (".html", ".htm") or path.is_dir():
        raise OutputError(f"{path}: a report is one file that ends in .html")


def address(target: Path, page: Path) -> str:
    """Return the address of a file as a page refers to it: relative, whatever letters its name has.

    Parameters
    ----------
    target, page : Path

    Returns
    -------
    str
        Percent-encoded. Absolute where no relative path leads there (another drive of Windows).
    """
    try:
        relative = os.path.relpath(target.resolve(), page.resolve().parent)
    except ValueError:
        return target.resolve().as_uri()
    # "./" keeps a name with a colon from being read as a scheme.
    return "./" + quote(os.fsencode(relative.replace(os.sep, "/")), safe="/")


def now() -> datetime:
    """Return when the page is made; ``SOURCE_DATE_EPOCH`` fixes it."""
    fixed = os.environ.get("SOURCE_DATE_EPOCH", "")
    if fixed.isdecimal():
        return datetime.fromtimestamp(int(fixed), timezone.utc)
    return datetime.now().astimezone()


def pretty(record: Any) -> str:
    """Render a record as indented JSON."""
    return json.dumps(record, indent=1, ensure_ascii=False, default=str)


def _policy(style: str, script: str) -> str:
    sources = {
        "default-src": ["'none'"],
        "style-src": [_hash(style)],
        "script-src": [_hash(script)] if script else ["'none'"],
        "img-src": ["'self'", "data:", "blob:"],
        "media-src": ["'self'", "data:", "blob:"],
        "base-uri": ["'none'"],
        "form-action": ["'none'"],
    }
    return "; ".join(f"{name} {' '.join(values)}" for name, values in sources.items())


def _hash(text: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode('ascii')}'"


def _json(data: Any) -> str:
    """Render JSON that ends no element and starts no comment of HTML."""
    text = json.dumps(data, separators=(",", ":"), allow_nan=False)
    for letter in "<>&":
        text = text.replace(letter, f"\\u{ord(letter):04x}")
    return text


@lru_cache(maxsize=1)
def _environment() -> jinja2.Environment:
    return jinja2.Environment(
        loader=jinja2.FileSystemLoader(_PAGES),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )


@lru_cache(maxsize=8)
def _read(name: str) -> str:
    return (_PAGES / name).read_text(encoding="utf-8")


def _script(names: Sequence[str] = SCRIPTS) -> str:
    return '"use strict";\n(() => {\n' + "".join(map(_read, names)) + "})();\n"
