"""A window for pictures that change, made with Tk, which comes with Python: OpenCV's headless build has none."""

from __future__ import annotations

import gc
from typing import TYPE_CHECKING

import cv2

from ..errors import PyFaceAUError

if TYPE_CHECKING:
    from ..video import BGRImage

_BACKGROUND, _FOREGROUND = "#282828", "#e0e0e0"
_SCREEN_SHARE = 0.8  # of the screen that the window takes at first, at most
_FIRST_HEIGHT = (480, 720)  # px of the first picture, least and greatest
_LEAST = (320, 200)  # px of the window


class WindowError(PyFaceAUError):
    """No window can be shown; the message says why and what to do."""


class Window:
    """A window with a picture and a line of text; q, Escape and its close button close it.

    All calls come from one thread, on macOS the main one.

    Parameters
    ----------
    title : str

    Attributes
    ----------
    closed : bool
        The user has closed it, or the program.

    Raises
    ------
    WindowError
        Python has no tkinter, or there is no display.
    """

    def __init__(self, title: str) -> None:
        try:
            import tkinter
        except ImportError as error:
            raise WindowError(
                f"this Python has no tkinter: {error} (on Debian and Ubuntu: apt install python3-tk; "
                "with Homebrew: brew install python-tk)"
            ) from error
        try:
            self._root = tkinter.Tk(className="pyfaceau")
        except tkinter.TclError as error:
            raise WindowError(f"there is no display ({error}); over ssh, try ssh -X") from error
        self.closed = False
        self._there = True
        self._root.withdraw()  # until there is something to see
        self._root.title(title)
        self._root.configure(background=_BACKGROUND)
        self._root.minsize(*_LEAST)
        self._photo = tkinter.PhotoImage(master=self._root)
        self._text = tkinter.Label(
            self._root, anchor="w", padx=6, background=_BACKGROUND, foreground=_FOREGROUND, font="TkFixedFont"
        )
        self._text.pack(side="bottom", fill="x")
        self._picture = tkinter.Label(
            self._root, image=self._photo, borderwidth=0, background=_BACKGROUND, anchor="center"
        )
        self._picture.pack(side="top", fill="both", expand=True)
        self._sized = False
        self._root.protocol("WM_DELETE_WINDOW", self._want_to_close)
        for key in ("q", "Q", "Escape"):
            self._root.bind(f"<KeyPress-{key}>", self._want_to_close)

    def room(self, image: BGRImage) -> tuple[int, int]:
        """Width and height that a picture of a frame may take, in px: what the user made of the window."""
        if self._sized:
            return max(1, self._picture.winfo_width()), max(1, self._picture.winfo_height())
        least, greatest = _FIRST_HEIGHT
        height = min(max(image.shape[0], least), greatest)
        screen = self._root.winfo_screenwidth(), self._root.winfo_screenheight()
        height = min(height, round(_SCREEN_SHARE * screen[1]))
        return round(_SCREEN_SHARE * screen[0]), height

    def show(self, picture: BGRImage, text: str) -> None:
        """Show a picture and a text, until the next ones."""
        if self.closed:
            return
        height, width = picture.shape[:2]
        pixels = cv2.cvtColor(picture, cv2.COLOR_BGR2RGB).tobytes()
        self._photo.configure(data=b"P6 %d %d 255\n" % (width, height) + pixels, format="PPM")
        self._text.configure(text=text)
        if not self._sized:  # from now on the window's size is the user's business
            self._root.geometry(f"{width}x{height + self._text.winfo_reqheight()}")
            self._root.deiconify()
            self._root.lift()
            self._root.focus_force()  # for the keys; on some desktops it would open behind the terminal
            self._sized = True
        self.update()

    def update(self) -> None:
        """Let the window answer to keys and mouse, and paint."""
        if not self.closed:
            self._root.update()

    def close(self) -> None:
        """Take the window away; may be called again."""
        self.closed = True
        if self._there:
            self._there = False
            self._root.destroy()
            del self._root, self._photo, self._text, self._picture
            gc.collect()  # Tcl ends the program if its interpreter is freed by another thread's collection

    def _want_to_close(self, _event: object = None) -> None:
        """Note what the user wants; the widgets are in use while Tk reports it."""
        self.closed = True
