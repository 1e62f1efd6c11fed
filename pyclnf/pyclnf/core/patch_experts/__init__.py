"""Patch experts: how likely is each landmark at each position around the current estimate."""

from .base import LARGEST_WINDOW, MAP_PITCH, SUPPORT, PatchExperts, new_maps
from .ccnf import CCNFExperts
from .cen import CENExperts
from .svr import SVRExperts

__all__ = [
    "LARGEST_WINDOW",
    "MAP_PITCH",
    "SUPPORT",
    "CCNFExperts",
    "CENExperts",
    "PatchExperts",
    "SVRExperts",
    "new_maps",
]
