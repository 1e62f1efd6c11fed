"""The picture of the live window: the frame with what was found in it, action units beside it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import cv2
import numpy as np

from ..output.drawing import action_unit_panel_width, draw_action_units, draw_results

if TYPE_CHECKING:
    from ..result import FrameResult
    from ..video import BGRImage

_BACKGROUND = 40  # grey level of the panels
_PANEL_LINES = 19  # action units and the heading
_LINE = 17.5  # px of a line of action units at unit 1, with its share of the margins
_UNITS = (0.5, 2.0)  # least and greatest size of the panels
_MARGIN = 4  # px left of a panel
_PANEL_SHARE = 0.6  # of the width that the panels may take
_ENLARGED = 2.0  # at most; beyond, only the pixels get larger


def live_picture(
    image: BGRImage, results: Sequence[FrameResult], room: tuple[int, int], panels: int = 1
) -> BGRImage:
    """Draw the results of a frame.

    Parameters
    ----------
    image : ndarray, shape (H, W, 3), uint8
        The frame, BGR; left as it is.
    results : sequence of FrameResult
        Of this frame, one per face.
    room : (int, int)
        Width and height that the picture may take, in px.
    panels : int
        Most faces there can be: room is kept for so many panels, so that nothing moves when a face comes or goes.

    Returns
    -------
    ndarray, shape (h, w, 3), uint8
        BGR. On the left the frame with landmarks, eyes, gaze and head boxes; on the right one panel of bars per
        face, so that no bar covers a face. Faces that find no room there have no panel.
    """
    width, height = room
    beside = _PANEL_SHARE * width
    unit = min(height / (_LINE * _PANEL_LINES), beside / (panels * action_unit_panel_width(1.0)))
    unit = float(np.clip(unit, *_UNITS))
    panel = action_unit_panel_width(unit)
    panels = max(1, min(panels, int(beside // panel)))
    rows, columns = image.shape[:2]
    scale = min(max(width - panels * panel, 1) / columns, height / rows, _ENLARGED)
    size = (max(1, round(columns * scale)), max(1, round(rows * scale)))
    drawn = image.copy()
    draw_results(drawn, results, action_units=False)  # at full size, as the pose needs the camera's own
    picture = np.full((size[1], size[0] + panels * panel, 3), _BACKGROUND, np.uint8)
    # INTER_AREA would look a little better and takes 25 ms for a frame of 1920 x 1080 px.
    picture[:, : size[0]] = cv2.resize(drawn, size, interpolation=cv2.INTER_LINEAR)
    for index, result in enumerate(results[:panels]):
        if result.tracked:
            left = size[0] + index * panel + _MARGIN
            draw_action_units(picture, result, left, unit, f"face {result.face_id}")
    return picture
