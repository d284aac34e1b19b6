"""Robust least squares on a manifold, with a covariance that its residuals justify."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Generic, TypeVar

import numpy as np
from numpy.typing import NDArray

__all__ = ["INLIER_SIGMAS", "SHARED_PX", "TOLERANCE", "Fit", "Residuals", "fit_robustly", "weights"]

State = TypeVar("State")

# A threshold for inliers is taken for this many standard deviations of the worst good matches.
INLIER_SIGMAS = 2.5
# What neighbouring matches are wrong by together, px: interpolation, and light that falls
# differently. Of many precise matches that is more than what their residuals show.
SHARED_PX = 0.01

# Tukey's constant: 95 % efficient on normal residuals of unit variance (Huber 1981). What lies
# further off than this counts for nothing, however much it could move the state.
_TUKEY = 4.6851
# A step of this many standard deviations of what it moves is the last one: what is left after it is
# much less.
TOLERANCE = 0.3
# Weights that fall with the error make a Gauss-Newton step too short; stretched, it takes half as
# many of them.
_STRETCH = 1.3
# A step of a direction that the measurements leave open; any unit will do.
_WILD_STEP = 1e6
# Tiles along the longer side of what the measurements cover: about 80 px of a VGA image, several
# times as wide as the patches that matches are aligned by. Per parameter at least so many.
_TILES = 8
_LEAST_TILES = 4
# Medians of the chi-squared distribution with 1, 2 and 3 degrees of freedom.
_CHI_SQUARED_MEDIAN = {1: 0.4549, 2: 1.3863, 3: 2.3660}


@dataclass(frozen=True, eq=False)
class Residuals:
    """Residuals of N measurements with K parts each, and how P parameters move them.

    Attributes:
        value: float64 [N, K], divided by their expected standard deviations.
        jacobian: float64 [N, K, P], of ``value`` by a small step of the state.
        prior: float64 [P, P] information about a small step beside the measurements.
        prior_gradient: float64 [P]: ``prior`` times how far the state lies from the prior's mean.
    """

    value: NDArray[np.float64]
    jacobian: NDArray[np.float64]
    prior: NDArray[np.float64] | None = None
    prior_gradient: NDArray[np.float64] | None = None


@dataclass(frozen=True, eq=False)
class Fit(Generic[State]):
    """Outcome of a fit.

    Attributes:
        state: the best one.
        covariance: float64 [P, P] of a small step from it.
        sigma: robust standard deviation of the whitened residuals; 1 is as expected.
        residuals: at ``state``.
    """

    state: State
    covariance: NDArray[np.float64]
    sigma: float
    residuals: Residuals


def fit_robustly(
    start: State,
    evaluate: Callable[[State], Residuals],
    step: Callable[[State, NDArray[np.float64]], State],
    *,
    places: NDArray[np.float64] | None = None,
    shared: NDArray[np.float64] | float = 0.0,
    iterations: int = 6,
    tolerance: float = TOLERANCE,
    sigma_floor: float = 0.2,
    sigma_ceiling: float = np.inf,
) -> Fit[State] | None:
    """Gauss-Newton with Tukey's weights, the scale of the residuals estimated beside.

    The covariance is the sandwich ``H^-1 M H^-1`` of robust statistics (Huber 1967, White 1980):
    ``H`` the Hessian of the robust cost, ``M`` the scatter of its gradients. It needs no guess
    of the noise, and holds when measurements are not equally good. Errors of neighbouring matches
    are alike (their patches overlap, and images have structure); where ``places`` are given,
    gradients are therefore summed over the tiles of a grid before they are scattered (clusters:
    Liang and Zeger 1986; of space: Conley 1999). Errors that all matches of a tile share, and that
    the state takes up, so that no residual shows them, are added with the deviation ``shared``.

    Args:
        start: a state near the best one.
        evaluate: residuals at a state.
        step: a state moved by a small vector [P].
        places: where in the image each measurement is, float64 [N, 2], px.
        shared: standard deviation of what the measurements of one tile share, in the units of the
            residuals; one for all or float64 [N].
        iterations: most steps.
        tolerance: length of a step, in standard deviations of what it moves, that ends the
            iteration.
        sigma_floor: least standard deviation of the residuals, so that perfect data do not make
            all weights vanish.
        sigma_ceiling: largest one, so that more wrong measurements than right ones do not set the
            scale; the start must then explain the right ones.

    Returns:
        The fit, or ``None`` when the measurements leave a direction open or nothing is finite.
    """
    state = start
    residuals = evaluate(state)
    sigma = min(_scale(residuals.value, sigma_floor), sigma_ceiling)
    for _ in range(iterations):
        inside = _inside(residuals.value, sigma)
        hessian, gradient = _normal_equations(residuals, inside**2, sigma)
        delta = _solve(hessian, -gradient)
        if delta is None or np.abs(delta).max() > _WILD_STEP:
            return None
        state = step(state, _STRETCH * delta)
        residuals = evaluate(state)
        sigma = min(_scale(residuals.value, sigma_floor), sigma_ceiling)
        if -float(delta @ gradient) < tolerance**2:
            break
    covariance = _sandwich(residuals, sigma, places, shared)
    return None if covariance is None else Fit(state, covariance, sigma, residuals)


def weights(fit: Fit[State]) -> NDArray[np.float64]:
    """What each measurement counts for in a fit, float64 [N], 0 to 1."""
    return _inside(fit.residuals.value, fit.sigma) ** 2


def _scale(value: NDArray[np.float64], floor: float) -> float:
    squares = np.einsum("nk,nk->n", value, value)
    middle = np.partition(squares, len(squares) // 2)[len(squares) // 2]
    return max(floor, float(np.sqrt(middle / _CHI_SQUARED_MEDIAN[value.shape[1]])))


def _inside(value: NDArray[np.float64], sigma: float) -> NDArray[np.float64]:
    """One less the squared share of Tukey's reach; its square is the weight."""
    squares = np.einsum("nk,nk->n", value, value)
    return np.maximum(0.0, 1.0 - squares / (_TUKEY * sigma) ** 2)


def _normal_equations(
    residuals: Residuals, weight: NDArray[np.float64], sigma: float
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    jacobian = residuals.jacobian
    flat = jacobian.reshape(-1, jacobian.shape[2])
    weighted = (jacobian * (weight / sigma**2)[:, None, None]).reshape(flat.shape)
    hessian, gradient = weighted.T @ flat, weighted.T @ residuals.value.ravel()
    if residuals.prior is not None:
        hessian = hessian + residuals.prior
        gradient = gradient + residuals.prior_gradient
    return hessian, gradient


def _sandwich(
    residuals: Residuals,
    sigma: float,
    places: NDArray[np.float64] | None,
    shared: NDArray[np.float64] | float,
) -> NDArray[np.float64] | None:
    inside = _inside(residuals.value, sigma)
    approximate, _ = _normal_equations(residuals, inside**2, sigma)
    pulls = np.einsum("nk,nkp->np", residuals.value, residuals.jacobian) / sigma
    bent = pulls * np.sqrt(inside)[:, None]
    exact = approximate - (4.0 / (_TUKEY * sigma) ** 2) * (bent.T @ bent)
    pulls *= (inside**2)[:, None]  # the gradient of each measurement's cost, times sigma
    counted = inside > 0
    pulls, parameters = pulls[counted], pulls.shape[1]
    common = np.zeros((parameters, parameters))
    if places is not None and len(pulls):
        tile = _tiles(places[counted], _LEAST_TILES * parameters)
        pulls = _summed(pulls, tile)
        alike = (inside**2 * shared / sigma)[counted]
        levers = residuals.jacobian[counted] * alike[:, None, None]
        for lever in np.moveaxis(levers, 1, 0):
            pull = _summed(lever, tile)
            common += pull.T @ pull
    count = len(pulls)
    scatter = ((count / max(1, count - parameters)) * (pulls.T @ pulls) + common) / sigma**2
    if residuals.prior is not None:
        scatter = scatter + residuals.prior
    for hessian in (exact, approximate):
        inverse = _inverse(hessian)
        if inverse is not None:
            return inverse @ scatter @ inverse.T
    return None


def _tiles(places: NDArray[np.float64], least: int) -> NDArray[np.int64]:
    """Number of the tile [N] of each place, of tiles small enough that ``least`` are in use."""
    # A match may lie far outside of the image, where nothing holds it.
    low, high = np.percentile(places, (2, 98), axis=0)
    places = np.clip(places, low, high)
    side = max(float((high - low).max()) / _TILES, 1.0)
    while True:
        column, row = ((places - low) / side).astype(np.int64).T
        _, tile = np.unique(row * 2**20 + column, return_inverse=True)
        if tile.max() + 1 >= min(least, len(places)) or side < 1.0:
            return tile
        side *= 0.5


def _summed(values: NDArray[np.float64], group: NDArray[np.int64]) -> NDArray[np.float64]:
    """Sums [G, P] of values [N, P] over groups."""
    return np.stack([np.bincount(group, column) for column in values.T], axis=1)


def _inverse(matrix: NDArray[np.float64]) -> NDArray[np.float64] | None:
    """Inverse of a matrix that is positive definite beyond rounding; ``None`` of another."""
    if not np.isfinite(matrix).all():
        return None
    diagonal = np.diag(matrix)
    if (diagonal <= 0).any():
        return None
    # Parameters of different units are compared after scaling.
    scale = 1.0 / np.sqrt(diagonal)
    values, vectors = np.linalg.eigh(matrix * np.outer(scale, scale))
    if values[0] < 1e-12:
        return None
    return np.outer(scale, scale) * ((vectors / values) @ vectors.T)


def _solve(hessian: NDArray[np.float64], right: NDArray[np.float64]) -> NDArray[np.float64] | None:
    """A step; whether the state is determined at all is asked once, at the end."""
    try:
        step = np.linalg.solve(hessian, right)
    except np.linalg.LinAlgError:
        return None
    return step if np.isfinite(step).all() else None
