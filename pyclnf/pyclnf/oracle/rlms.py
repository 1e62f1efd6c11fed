"""Non-uniform regularised landmark mean shift on given response maps.

Source: OpenFace 2.2, ``LandmarkDetectorModel.cpp``, ``NU_RLMS``; Baltrusaitis, Robinson, Morency, ICCVW 2013.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from .mean_shift import landmark_likelihood, mean_shift
from .shape import Float64Array, ShapeModel, apply_update, jacobian, project, solve

CONVERGED = 0.01  # px, L2 norm over the whole shape vector
NOT_VISIBLE = -1e8


def nu_rlms(
    model: ShapeModel,
    responses: npt.NDArray[np.floating],
    visible: npt.NDArray[np.bool_],
    weights: npt.NDArray[np.floating],
    base: npt.NDArray[np.floating],
    to_reference: npt.NDArray[np.floating],
    params_global: npt.ArrayLike,
    params_local: npt.ArrayLike,
    *,
    rigid: bool,
    iterations: int,
    regularisation: float,
    sigma: float,
) -> tuple[Float64Array, Float64Array, Float64Array, float]:
    """Move the parameters so that the landmarks climb their response maps.

    Parameters
    ----------
    model : ShapeModel
    responses : ndarray, shape (n, w, w)
        One map per landmark, in the reference frame.
    visible : ndarray, shape (n,), bool
    weights : ndarray, shape (n,)
        Of the landmarks; ones for equal weights.
    base : ndarray, shape (2, n)
        Landmarks on which the maps are centred, px.
    to_reference : ndarray, shape (2, 2)
        Similarity from the image to the reference frame.
    params_global, params_local : array_like
        Start.
    rigid : bool
        Leave the shape as it is.
    iterations : int
        At most.
    regularisation, sigma : float
        Weight of the shape prior, width of the kernel.

    Returns
    -------
    params_global, params_local : ndarray, float64
    likelihoods : ndarray, shape (n,), float64
        -1e8 where not visible.
    likelihood : float
        Mean logarithm over the visible landmarks.
    """
    f = np.float32
    g = np.array(params_global, dtype=f).astype(np.float64)
    p = np.array(params_local, dtype=f).astype(np.float64)
    eigenvalues = model.eigenvalues.astype(np.float64)
    prior = np.zeros(6) if rigid else np.concatenate([np.zeros(6), regularisation / eigenvalues])
    to_image = np.linalg.inv(to_reference.astype(np.float64))
    centre = (responses.shape[1] - 1) // 2
    both = np.tile(weights * visible, 2).astype(np.float64)
    previous: npt.NDArray[np.float32] | None = None
    place = np.full((2, len(visible)), f(centre))
    for _ in range(iterations):
        shape = project(model, g, p).astype(f)
        if previous is not None and np.linalg.norm(shape - previous) < CONVERGED:
            break
        previous = shape
        # float32, because the node of the kernel's grid on which a landmark falls decides its shift
        place = to_reference.astype(f) @ (shape - base.astype(f)) + f(centre)
        shifts = mean_shift(responses, place[0], place[1], sigma)
        J = jacobian(model, g, p, rigid)  # noqa: N806 - the field's name
        right = (J * both[:, None]).T @ (to_image @ shifts).reshape(-1)
        if not rigid:
            right -= prior * np.concatenate([np.zeros(6), p])
        left = (J * both[:, None]).T @ J + np.diag(prior)
        step = solve(left, right)
        g, p = apply_update(g, p, np.zeros(len(right)) if step is None else step)
        p = np.clip(p, -3 * np.sqrt(eigenvalues), 3 * np.sqrt(eigenvalues))
        g, p = g.astype(f).astype(np.float64), p.astype(f).astype(np.float64)
    likelihoods = np.where(visible, landmark_likelihood(responses, place[0], place[1], sigma), NOT_VISIBLE)
    mean = np.log(likelihoods[visible] + 1e-8).mean() if visible.any() else NOT_VISIBLE
    return g, p, likelihoods, float(mean)
