"""Finds the code blocks of Markdown files and what is said about running them."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path

_FENCE = re.compile(r"^```(\S*)\s*$")
# Before a block: lines that begin so are not run; "*" means all of them.
_NOT_RUN = re.compile(r"^<!-- not run: (?P<begins>.+?) \((?P<reason>.+)\) -->$")
_INDENTED = re.compile(r"^ {4,}\S")
_LIST = re.compile(r"^\s*([-*+]|\d+\.)\s")
_COMMENT = re.compile(r"\s+#\s.*$")


@dataclass
class Snippet:
    """One code block.

    Attributes
    ----------
    language : str
        As the fence says.
    line : int
        Of the document, where its code begins, from 1.
    code : list of str
    not_run : dict of str to str
        Beginnings of lines that are not run, with the reason.
    """

    language: str
    line: int
    code: list[str]
    not_run: dict[str, str]

    def reason(self, command: str) -> str | None:
        """Why a line is not run; None if it is."""
        return next(
            (why for begins, why in self.not_run.items() if begins == "*" or command.startswith(begins)), None
        )


@dataclass
class Command:
    """One line of a console block, and the output that is shown below it."""

    line: int
    text: str
    output: list[str] = field(default_factory=list)


def read_snippets(path: Path) -> list[Snippet]:
    """Read all code blocks of a Markdown file.

    Raises
    ------
    ValueError
        A block is indented instead of fenced, or a remark stands before no block.
    """
    found: list[Snippet] = []
    remarks: dict[str, str] = {}
    block: Snippet | None = None
    in_list, blank = False, True
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), start=1):
        fence = _FENCE.match(line)
        if block is not None:
            if fence:
                found.append(block)
                block = None
            else:
                block.code.append(line)
        elif fence:
            block, remarks = Snippet(fence[1], number + 1, [], remarks), {}
        elif remark := _NOT_RUN.match(line):
            remarks[remark["begins"]] = remark["reason"]
        elif remarks:
            raise ValueError(f"{path}:{number}: a remark about running stands before no block")
        elif blank and not in_list and _INDENTED.match(line):
            raise ValueError(f"{path}:{number}: indented code is not run; fence it")
        elif line.strip():
            in_list = bool(_LIST.match(line)) or (in_list and line.startswith(" "))
        blank = not line.strip()
    if block is not None or remarks:
        raise ValueError(f"{path}: ends within a block, or with a remark")
    return found


def commands(snippet: Snippet) -> list[Command]:
    """Split a console block into commands and their output.

    Where a line begins with "$ ", those are the commands and the others output; else all are commands.
    """
    prompts = any(line.startswith("$ ") for line in snippet.code)
    found: list[Command] = []
    for number, line in enumerate(snippet.code, start=snippet.line):
        if prompts and not line.startswith("$ "):
            found[-1].output.append(line)
        elif line.strip():
            found.append(Command(number, _COMMENT.sub("", line.removeprefix("$ "))))
    return found
