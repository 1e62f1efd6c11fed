"""Old place of :mod:`pyclnf.gaze`; goes away in version 3."""

from ..gaze import Gaze, estimate_gaze

__all__ = ["Gaze", "estimate_gaze"]
