"""Pictures of results, by Matplotlib.

Functions that take ``ax`` draw into these axes, those of a new figure by default, and return them.
"""

from __future__ import annotations

from .bodies import plot_landmarks, plot_movement
from .comparisons import plot_bland_altman, plot_groups
from .drawn_face import DrawnFace, animate_face, plot_face
from .signals import plot_aus, plot_gaze, plot_heatmap, plot_pose, plot_quality
from .timelines import every_of, plot_table

__all__ = [
    "DrawnFace",
    "animate_face",
    "every_of",
    "plot_aus",
    "plot_bland_altman",
    "plot_face",
    "plot_gaze",
    "plot_groups",
    "plot_heatmap",
    "plot_landmarks",
    "plot_movement",
    "plot_pose",
    "plot_quality",
    "plot_table",
]
