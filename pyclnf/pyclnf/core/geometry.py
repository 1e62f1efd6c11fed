"""Old place of :mod:`pyclnf.geometry`; goes away in version 3."""

from ..geometry import align_similarity, euler_to_matrix, matrix_to_euler

__all__ = ["align_similarity", "euler_to_matrix", "matrix_to_euler"]
