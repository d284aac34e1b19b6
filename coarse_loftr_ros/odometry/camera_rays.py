"""Pixels as rays of a pinhole camera."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from coarse_loftr_ros.images.frame import Intrinsics

__all__ = ["cross", "pixel_jacobian", "project", "rays_of", "tangent_basis"]


def cross(a: NDArray[np.float64], b: NDArray[np.float64]) -> NDArray[np.float64]:
    """Cross product along the last axis; five times as fast as ``np.cross`` on few vectors."""
    product = np.empty(np.broadcast(a, b).shape)
    ax, ay, az = a[..., 0], a[..., 1], a[..., 2]
    bx, by, bz = b[..., 0], b[..., 1], b[..., 2]
    np.subtract(ay * bz, az * by, out=product[..., 0])
    np.subtract(az * bx, ax * bz, out=product[..., 1])
    np.subtract(ax * by, ay * bx, out=product[..., 2])
    return product


def rays_of(points: NDArray[np.floating], camera: Intrinsics) -> NDArray[np.float64]:
    """Rays [N, 3] with z = 1 through pixels [N, 2]."""
    rays = np.ones((len(points), 3))
    rays[:, 0] = (points[:, 0] - camera.cx) / camera.fx
    rays[:, 1] = (points[:, 1] - camera.cy) / camera.fy
    return rays


def project(points: NDArray[np.float64], camera: Intrinsics) -> NDArray[np.float64]:
    """Pixels [N, 2] of points [N, 3]; infinite behind the camera."""
    depth = points[:, 2:]
    with np.errstate(divide="ignore", invalid="ignore"):
        pixels = points[:, :2] / depth * (camera.fx, camera.fy) + (camera.cx, camera.cy)
    return np.where(depth > 0, pixels, np.inf)


def pixel_jacobian(points: NDArray[np.float64], camera: Intrinsics) -> NDArray[np.float64]:
    """Derivative [N, 2, 3] of pixels by points [N, 3] before the camera."""
    jacobian = np.zeros((len(points), 2, 3))
    inverse = 1.0 / points[:, 2]
    jacobian[:, 0, 0] = camera.fx * inverse
    jacobian[:, 1, 1] = camera.fy * inverse
    jacobian[:, :, 2] = -points[:, :2] * (inverse * inverse)[:, None] * (camera.fx, camera.fy)
    return jacobian


def tangent_basis(direction: NDArray[np.float64]) -> NDArray[np.float64]:
    """Two unit vectors, columns of [3, 2], square to a unit vector and to each other."""
    x, y, z = direction.tolist()
    # Duff et al., "Building an Orthonormal Basis, Revisited", JCGT 2017: no branch but the sign.
    sign = -1.0 if z < 0.0 else 1.0
    a = -1.0 / (sign + z)
    b = x * y * a
    return np.array([[1.0 + sign * x * x * a, b], [sign * b, sign + y * y * a], [-sign * x, -y]])
