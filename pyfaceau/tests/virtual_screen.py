"""A screen in memory for tests of windows: Xvfb, with xdotool for the keys."""

from __future__ import annotations

import importlib.util
import os
import shutil
import subprocess
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import numpy as np

T = TypeVar("T")
PATIENCE = 60.0  # s
MISSING = [program for program in ("Xvfb", "xdotool") if shutil.which(program) is None]
if importlib.util.find_spec("_tkinter") is None:
    MISSING.append("tkinter")
_SERVERS: list[subprocess.Popen[bytes]] = []


@dataclass
class Screen:
    """A running Xvfb of 1280 x 900 px."""

    display: str
    framebuffer: Path

    def pixels(self) -> np.ndarray:
        """What the screen shows: (900, 1280, 3), BGR."""
        data = self.framebuffer.read_bytes()  # an XWD file: big-endian words, colour map, pixels
        words = np.frombuffer(data, ">u4", 25)
        header, width, height, bits, stride, colours = (int(words[i]) for i in (0, 4, 5, 11, 12, 19))
        assert bits == 32
        start = header + 12 * colours
        rows = np.frombuffer(data, np.uint8, stride * height, start).reshape(height, stride)
        return rows[:, : 4 * width].reshape(height, width, 4)[..., :3]

    def xdotool(self, *arguments: str) -> str:
        """Output of an xdotool command; empty if it fails."""
        environment = {**os.environ, "DISPLAY": self.display}
        done = subprocess.run(["xdotool", *arguments], env=environment, capture_output=True, text=True)
        return done.stdout.strip()

    def wait_for_window(self, title: str) -> str:
        """Id of the visible window of this title."""
        return wait_for(lambda: self.xdotool("search", "--onlyvisible", "--name", title))


def wait_for(look: Callable[[], T]) -> T:
    """Look until what is there counts as true."""
    until = time.monotonic() + PATIENCE
    while not (seen := look()):
        assert time.monotonic() < until, "did not come"
        time.sleep(0.05)
    return seen


def virtual_screen(folder: Path) -> Screen:
    """Start Xvfb on a free display number, with its framebuffer in `folder`.

    It ends with this process and not before: Tk keeps its connection for good and ends the program if it breaks.
    """
    reading, writing = os.pipe()
    xvfb = f"Xvfb -displayfd {writing} -screen 0 1280x900x24 -fbdir '{folder}' -noreset"
    # The shell's input ends with this process.
    server = subprocess.Popen(
        ["sh", "-c", f"{xvfb} 2>/dev/null & read -r _; kill $!"], stdin=subprocess.PIPE, pass_fds=[writing]
    )
    _SERVERS.append(server)
    os.close(writing)
    with os.fdopen(reading) as answer:
        number = answer.readline().strip()
    assert number, "Xvfb did not start"
    return Screen(f":{number}", folder / "Xvfb_screen0")
