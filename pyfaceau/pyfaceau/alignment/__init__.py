"""Aligned, masked faces: the image that the action-unit features are computed from."""

from pyfaceau.alignment.aligner import AlignedFace, FaceAligner

__all__ = ["AlignedFace", "FaceAligner"]
