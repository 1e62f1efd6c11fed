"""The margin of an overlay: what the table says about each face, in words and bars, beside the picture."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field

import cv2
import numpy as np
import numpy.typing as npt

from ..action_units import AU_NAMES, unit_of

Image = npt.NDArray[np.uint8]
Colour = tuple[int, int, int]

# Blue, green, red.
BACKGROUND: Colour = (34, 30, 28)
_TEXT: Colour = (240, 240, 240)
_SOFT: Colour = (165, 165, 165)
_DIM: Colour = (110, 110, 110)  # units that are hints only
_TRACK: Colour = (70, 66, 64)  # the whole length of a bar
_BAR: Colour = (235, 170, 70)
_PRESENT: Colour = (90, 215, 90)
_LOST: Colour = (90, 90, 240)
#: Of the faces' numbers and landmarks, by slot.
FACE_COLOURS: tuple[Colour, ...] = (
    (60, 220, 255),
    (255, 190, 80),
    (150, 120, 255),
    (120, 235, 120),
    (90, 160, 255),
    (255, 130, 220),
)

_FULL = 5.0  # intensity at the end of a bar
# At line height 1: widths of the dot, the unit, its name, the bar, the value and the gap between panels.
_DOT, _UNIT, _NAME, _BAR_WIDTH, _VALUE, _GAP = 0.75, 1.85, 6.6, 4.0, 1.5, 0.6
_WIDTH = _DOT + _UNIT + _NAME + _BAR_WIDTH + _VALUE + _GAP
_HEADER_LINES, _FOOTER_LINES = 4, 2
_TEXT_SCALE = 0.021  # of OpenCV's font, for a px of line height


@dataclass(frozen=True)
class FacePanel:
    """What is said about one face in one frame.

    Attributes
    ----------
    face_id : int
    tracked : bool
    confidence : float
    intensities, presences : mapping of str to float
        By column: "AU12_r", "AU12_c". NaN where the table has no value.
    """

    face_id: int
    tracked: bool
    confidence: float
    intensities: Mapping[str, float] = field(default_factory=dict)
    presences: Mapping[str, float] = field(default_factory=dict)


class Margin:
    """Draws header, panels and legend beside a picture.

    Parameters
    ----------
    height : int
        Of the picture, px.
    slots : int
        Faces that have a panel at the same time.
    units : sequence of str
        Action units, in the order of the lines.
    hints : collection of str
        Units whose values are hints only; they are grey.

    Attributes
    ----------
    width : int
        px.
    """

    def __init__(self, height: int, slots: int, units: Sequence[str], hints: Collection[str] = ()) -> None:
        self.units = tuple(units)
        self.hints = frozenset(hints)
        self.rows = 1 if slots <= 2 else 2
        self.columns = max(1, -(-slots // self.rows))
        self.height = height
        lines = _HEADER_LINES + _FOOTER_LINES + self.rows * (len(self.units) + 2)
        self._line = height / max(lines, 20)
        self._panel_width = self._line * _WIDTH
        self.width = 2 * round((self._panel_width * self.columns + self._line * 0.6) / 2)

    def draw(self, header: Sequence[str], faces: Mapping[int, FacePanel], note: str = "") -> Image:
        """Draw the margin of a frame.

        Parameters
        ----------
        header : sequence of str
            At most three lines.
        faces : mapping of int to FacePanel
            By slot.
        note : str
            For the last line.

        Returns
        -------
        ndarray, shape (height, width, 3), uint8
        """
        image = np.empty((self.height, self.width, 3), np.uint8)
        image[:] = BACKGROUND
        line = self._line
        room = self.width - line
        for number, text in enumerate(header):
            self._text(image, text, 0.5 * line, (number + 1) * line, room, _TEXT if number == 0 else _SOFT)
        for slot, face in faces.items():
            column, row = slot % self.columns, slot // self.columns
            top = line * (_HEADER_LINES + row * (len(self.units) + 2))
            self._face(image, face, slot, 0.5 * line + column * self._panel_width, top)
        legend = "bar: intensity 0-5   dot: present" + ("   grey: a hint only" if self.hints else "")
        self._text(image, note, 0.5 * line, self.height - 1.35 * line, room, _SOFT)
        self._text(image, legend, 0.5 * line, self.height - 0.4 * line, room, _SOFT)
        return image

    def _face(self, image: Image, face: FacePanel, slot: int, left: float, top: float) -> None:
        line, width = self._line, self._panel_width - _GAP * self._line
        colour = FACE_COLOURS[slot % len(FACE_COLOURS)]
        state = f"confidence {face.confidence:.2f}" if face.tracked else "no face"
        self._text(image, f"Face {face.face_id}", left, top + 0.75 * line, width / 2, colour)
        self._text(
            image, state, left + 3.6 * line, top + 0.75 * line, width, _SOFT if face.tracked else _LOST
        )
        for number, unit in enumerate(self.units):
            self._unit(image, face, unit, left, top + (number + 1) * line)

    def _unit(self, image: Image, face: FacePanel, unit: str, left: float, top: float) -> None:
        line, hint = self._line, unit in self.hints
        base = top + 0.75 * line
        presence = face.presences.get(f"{unit}_c", float("nan"))
        if face.tracked and presence == 1:
            centre = (round(left + 0.3 * line), round(top + 0.5 * line))
            cv2.circle(image, centre, max(2, round(0.2 * line)), _DIM if hint else _PRESENT, -1, cv2.LINE_AA)
        left += _DOT * line
        self._text(image, unit, left, base, _UNIT * line, _DIM if hint else _TEXT)
        left += _UNIT * line
        name = AU_NAMES.get(unit_of(unit), "")
        self._text(image, name, left, base, (_NAME - 0.3) * line, _DIM if hint else _TEXT)
        if f"{unit}_r" not in face.intensities:
            return
        left += _NAME * line
        value = face.intensities[f"{unit}_r"]
        y0, y1 = round(top + 0.28 * line), round(top + 0.78 * line)
        x0, x1 = round(left), round(left + _BAR_WIDTH * line)
        cv2.rectangle(image, (x0, y0), (x1, y1), _TRACK, -1)
        known = face.tracked and np.isfinite(value)
        if known and value > 0:
            end = x0 + round((x1 - x0) * min(float(value), _FULL) / _FULL)
            cv2.rectangle(image, (x0, y0), (end, y1), _DIM if hint else _BAR, -1)
        for whole in range(1, int(_FULL)):
            x = x0 + round((x1 - x0) * whole / _FULL)
            cv2.line(image, (x, y0), (x, y1), BACKGROUND, 1)
        text = f"{value:.2f}" if known else "-"
        self._text(image, text, x1 + 0.25 * line, base, _VALUE * line, _DIM if hint else _SOFT)

    def _text(self, image: Image, text: str, x: float, y: float, room: float, colour: Colour) -> None:
        """Write a text, smaller if it does not fit into `room` px."""
        scale = _TEXT_SCALE * self._line
        (width, _), _ = cv2.getTextSize(text, cv2.FONT_HERSHEY_SIMPLEX, scale, 1)
        scale *= min(1.0, room / max(width, 1))
        place = (round(x), round(y))
        cv2.putText(image, text, place, cv2.FONT_HERSHEY_SIMPLEX, scale, colour, 1, cv2.LINE_AA)
