"""Checks a built site without a network: its links and anchors lead somewhere, and no page loads from outside.

Use: ``python docs/check_links.py docs/_build/html``.
"""

from __future__ import annotations

import sys
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

#: Attributes by which a page loads something.
_LOADS = {
    ("script", "src"),
    ("img", "src"),
    ("source", "src"),
    ("video", "src"),
    ("iframe", "src"),
    ("link", "href"),
}
_NOT_LOADED = {"canonical", "next", "prev", "search", "index", "author", "preconnect"}


class _Page(HTMLParser):
    def __init__(self, text: str) -> None:
        super().__init__()
        self.links: list[str] = []
        self.loads: list[str] = []
        self.anchors: set[str] = {""}
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = {name: value for name, value in attrs if value is not None}
        self.anchors.update(values[name] for name in ("id", "name") if name in values)
        if tag == "link" and values.get("rel") in _NOT_LOADED:
            return
        for name, value in values.items():
            if (tag, name) in _LOADS:
                self.loads.append(value)
            elif (tag, name) == ("a", "href"):
                self.links.append(value)


def check(root: Path) -> list[str]:
    """Return what is wrong, a line each."""
    files = (path for path in sorted(root.rglob("*.html")) if "_static" not in path.relative_to(root).parts)
    pages = {path.resolve(): _Page(path.read_text(encoding="utf-8")) for path in files}
    wrong = []
    for path, page in pages.items():
        place = path.relative_to(root.resolve())
        for address in page.links + page.loads:
            parts = urlsplit(address)
            if parts.scheme or parts.netloc:
                if address in page.loads and parts.scheme != "data":
                    wrong.append(f"{place}: loads {address} from outside")
                continue
            target = (path.parent / unquote(parts.path)).resolve() if parts.path else path
            if target.is_dir():
                target /= "index.html"
            if not target.is_file():
                wrong.append(f"{place}: there is no {address}")
            elif target in pages and unquote(parts.fragment) not in pages[target].anchors:
                wrong.append(f"{place}: {address} has no such place")
    for style in root.rglob("*.css"):
        text = style.read_text(encoding="utf-8")
        if "@import url(http" in text or "url(http" in text or "url('http" in text or 'url("http' in text:
            wrong.append(f"{style.relative_to(root)}: loads from outside")
    return wrong


if __name__ == "__main__":
    found = check(Path(sys.argv[1]))
    print("\n".join(sorted(set(found))) or "every link leads somewhere")
    sys.exit(bool(found))
