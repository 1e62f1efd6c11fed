"""Every numeric kernel of pyclnf once more in plain NumPy, written like its formula.

The compiled kernels are tested against it, and it is where to read what they compute; it runs where nothing could be
compiled. Sums are in float64, except where a float32 result decides what is computed: the two quantisers of
the method, the 1/32 px sampling grid and the 0.1 px grid of the mean-shift kernel, are exact.
"""

from .calc_params import fit_landmarks
from .ccnf import ccnf_response, covariance
from .cen import cen_response, fill_in
from .mean_shift import landmark_likelihood, mean_shift
from .patches import normalised_patches
from .pose import solve_pnp
from .rlms import nu_rlms
from .sampling import area_coordinates, sample_area, sample_grid
from .shape import ShapeModel, apply_update, euler_to_matrix, jacobian, matrix_to_euler, project, shape_3d
from .similarity import align_similarity, align_similarity_rounded
from .svr import svr_response
from .validator import network, normalised_crop

__all__ = [
    "ShapeModel",
    "align_similarity",
    "align_similarity_rounded",
    "apply_update",
    "area_coordinates",
    "ccnf_response",
    "cen_response",
    "covariance",
    "euler_to_matrix",
    "fill_in",
    "fit_landmarks",
    "jacobian",
    "landmark_likelihood",
    "matrix_to_euler",
    "mean_shift",
    "network",
    "normalised_crop",
    "normalised_patches",
    "nu_rlms",
    "project",
    "sample_area",
    "sample_grid",
    "shape_3d",
    "solve_pnp",
    "svr_response",
]
