"""A drive along a street of rectangles: stereo images, and the exact pose of each."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property

import cv2
import numpy as np
from numpy.typing import NDArray

from coarse_loftr_ros.cameras.pose import Pose
from coarse_loftr_ros.images.frame import Frame, Intrinsics
from coarse_loftr_ros.odometry.frames import rotation_of_rpy
from coarse_loftr_ros.recordings.rendered.camera import (
    SUPERSAMPLING,
    centred_camera,
    frame_stamps,
    noisy_frame,
    seconds_of,
)

__all__ = ["Street"]

_TEXTURE = 1024  # px, which repeat
_TEXELS = 64.0  # per metre
_HAZE = 110.0  # grey level where nothing stands
_END = 90.0  # m, where the street ends
_FARTHEST = 1e-3  # 1/m, of where nothing stands
_LENS_PX = 0.6  # standard deviation of the lens's blur


@dataclass(frozen=True, eq=False)
class _Wall:
    """A rectangle: a corner, two square unit edges with their lengths, and where its texture is."""

    corner: NDArray[np.float64]
    edges: NDArray[np.float64]
    size: tuple[float, float]
    texture: NDArray[np.float64]

    def seen_from(self, pose: Pose) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """How an optical frame sees it, linear in the ray (x, y, 1).

        Returns:
            Forms float64 [3, 3] of the ray: 1 / depth, and the places along both edges times that,
            which count from it; and the way from it to the corner, float64 [3].
        """
        normal = np.cross(*self.edges)
        towards = self.corner - pose.translation
        return np.stack([normal / (normal @ towards), *self.edges]) @ pose.rotation, towards


@dataclass(frozen=True, eq=False)
class Street:
    """A camera that drives ahead, with bends, and nods and rolls a little.

    Frames are blurred by the lens and noisy. Lengths are metres, axes those of an optical frame
    (x right, y down, z ahead); the ground is flat.

    Attributes:
        seconds: duration.
        rate: frames per second.
        speed: m/s.
        width: of the frames, px.
        height: of the frames, px.
        camera_height: of the camera over the ground.
        baseline: of the right camera from the left one.
        noise: standard deviation, grey levels.
        seed: of the houses, their texture and the noise.
    """

    seconds: float = 4.0
    rate: float = 10.0
    speed: float = 5.0
    width: int = 640
    height: int = 480
    camera_height: float = 1.5
    baseline: float = 0.4
    noise: float = 2.0
    seed: int = 1
    stamps: list[int] = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "stamps", frame_stamps(self.seconds, self.rate))

    @property
    def intrinsics(self) -> Intrinsics:
        """Of both cameras."""
        return centred_camera(0.8 * self.width, self.width, self.height)

    def pose(self, stamp: int) -> Pose:
        """The left camera's optical frame in that of the street."""
        t = seconds_of(stamp)
        yaw = 0.06 * np.sin(0.8 * t + 0.5 * self.seed)
        pitch = 0.010 * np.sin(2.1 * t + self.seed)
        roll = 0.012 * np.sin(1.7 * t)
        x = 0.5 * np.sin(0.5 * t)
        turn = rotation_of_rpy(pitch, yaw, roll)
        return Pose(turn, np.array([x, 0.0, self.speed * t]))

    def frames(self, right: bool = False) -> Iterator[Frame]:
        """Render the frames of one camera in order of time."""
        rng = np.random.default_rng((self.seed, int(right)))
        for stamp in self.stamps:
            camera = self.pose(stamp)
            if right:
                camera = camera @ Pose(np.eye(3), np.array([self.baseline, 0.0, 0.0]))
            yield noisy_frame(self.view(camera), stamp, self.noise, rng)

    def view(self, pose: Pose) -> NDArray[np.float32]:
        """What an optical frame anywhere sees: grey levels [height, width] without noise."""
        image = self._rendered(pose)
        return cv2.GaussianBlur(image, (0, 0), _LENS_PX)

    def inverse_depths(self, pose: Pose, points: NDArray[np.floating]) -> NDArray[np.float64]:
        """One over the depth [N], 1/m, of what an optical frame sees at points [N, 2], px."""
        camera = self.intrinsics
        x, y = (points[:, 0] - camera.cx) / camera.fx, (points[:, 1] - camera.cy) / camera.fy
        nearest = np.full(len(points), _FARTHEST)
        for wall in self._walls:
            forms, towards = wall.seen_from(pose)
            inverse, *times_place = (form[0] * x + form[1] * y + form[2] for form in forms)
            seen = inverse > nearest
            inside = np.where(seen, inverse, 1.0)
            for along, edge, size in zip(times_place, wall.edges, wall.size, strict=True):
                on = along / inside - edge @ towards
                seen &= (on >= 0) & (on < size)
            nearest = np.where(seen, inverse, nearest)
        return nearest

    @cached_property
    def _walls(self) -> list[_Wall]:
        rng = np.random.default_rng(self.seed)
        ahead, right, down = np.array([0.0, 0, 1]), np.array([1.0, 0, 0]), np.array([0.0, 1, 0])
        ground, walls = self.camera_height, []

        def add(corner, first, second, width, height) -> None:
            edges = np.stack([first, second])
            walls.append(
                _Wall(np.array(corner), edges, (width, height), rng.uniform(0, _TEXTURE, 2))
            )

        add([-20.0, ground, -5.0], right, ahead, 40.0, _END + 5.0)
        add([-20.0, -15.0, _END], right, down, 40.0, 15.0 + ground)
        for side in (-1.0, 1.0):
            z = -5.0
            while z < _END:
                depth, length, high = rng.uniform(4.0, 7.0), rng.uniform(4.0, 9.0), 12.0
                add([side * depth, ground - high, z], ahead, down, length, high)
                outer = min(side * depth, side * 9.0)
                add([outer, ground - high, z], right, down, 9.0 - depth, high)
                z += length
            for z in np.arange(4.0, _END, 7.0) + rng.uniform(0.0, 4.0):
                # Something as large as a car at the kerb: its front, its side and its roof.
                wide, length, high = 1.2, rng.uniform(1.5, 3.0), rng.uniform(0.7, 1.2)
                inner = side * rng.uniform(2.4, 2.8)
                outer = min(inner, inner + side * wide)
                add([outer, ground - high, z], right, down, wide, high)
                add([inner, ground - high, z], ahead, down, length, high)
                add([outer, ground - high, z], right, ahead, wide, length)
        return walls

    @cached_property
    def _texture(self) -> list[NDArray[np.float32]]:
        """A texture that repeats, and its halved copies."""
        rng = np.random.default_rng((self.seed, 2))
        total = np.zeros((_TEXTURE, _TEXTURE), np.float32)
        for period, share in ((3, 0.25), (9, 0.3), (30, 0.25), (120, 0.2)):
            noise = rng.standard_normal(total.shape).astype(np.float32)
            noise = cv2.GaussianBlur(np.tile(noise, (3, 3)), (0, 0), period / 2.5)
            noise = noise[_TEXTURE : 2 * _TEXTURE, _TEXTURE : 2 * _TEXTURE]
            total += share * noise / noise.std()
        levels = [np.clip(125.0 + 90.0 * total, 5, 250)]
        while len(levels[-1]) > 16:
            half = len(levels[-1]) // 2
            levels.append(levels[-1].reshape(half, 2, half, 2).mean(axis=(1, 3)))
        return levels

    def _rendered(self, pose: Pose) -> NDArray[np.float32]:
        """What a camera sees, finer than its pixels, then reduced."""
        s, camera = SUPERSAMPLING, self.intrinsics
        # Rays of the finer pixels: x -> (x - (s - 1) / 2) / s is in pixels of the image.
        x = ((np.arange(self.width * s) - (s - 1) / 2) / s - camera.cx) / camera.fx
        y = (((np.arange(self.height * s) - (s - 1) / 2) / s - camera.cy) / camera.fy)[:, None]
        nearest = np.full((self.height * s, self.width * s), _FARTHEST)
        place = np.zeros((2, *nearest.shape))
        for wall in self._walls:
            forms, towards = wall.seen_from(pose)
            inverse = forms[0, 0] * x + forms[0, 1] * y + forms[0, 2]
            seen = inverse > nearest
            rows, columns = (np.flatnonzero(seen.any(axis=axis)) for axis in (1, 0))
            if not len(rows):
                continue
            box = np.s_[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
            seen, inverse = seen[box], np.where(seen[box], inverse[box], 1.0)
            on = []
            for form, edge, size in zip(forms[1:], wall.edges, wall.size, strict=True):
                along = form[0] * x[box[1]] + form[1] * y[box[0]] + form[2]
                on.append(along / inverse - edge @ towards)
                seen = seen & (on[-1] >= 0) & (on[-1] < size)
            np.copyto(nearest[box], inverse, where=seen)
            for axis in (0, 1):
                texel = on[axis] * _TEXELS + wall.texture[axis]
                np.copyto(place[axis][box], texel, where=seen)
        image = self._looked_up(nearest, place)
        return image.reshape(self.height, s, self.width, s).mean(axis=(1, 3))

    def _looked_up(
        self, inverse: NDArray[np.float64], place: NDArray[np.float64]
    ) -> NDArray[np.float32]:
        """Texture by places, from the copy whose texels are about as large as a fine pixel."""
        texels = _TEXELS / (self.intrinsics.fx * SUPERSAMPLING * inverse)
        level = np.clip(np.log2(np.maximum(texels, 1.0)), 0, len(self._texture) - 1)
        level = np.rint(level).astype(np.int8)
        image = np.full(inverse.shape, _HAZE, np.float32)
        for number, texture in enumerate(self._texture):
            here = level == number
            if number == 0:
                here &= inverse > _FARTHEST
            # cv2.remap rounds to 1/32 of a texel, which the poses' truth is not worth.
            u, v = ((axis[here] + 0.5) / 2**number - 0.5 for axis in place)
            left, above = np.floor(u), np.floor(v)
            a, b = (u - left).astype(np.float32), (v - above).astype(np.float32)
            size = len(texture)
            i, j = left.astype(np.int64) % size, above.astype(np.int64) % size
            k, m = (i + 1) % size, (j + 1) % size
            upper = (1 - a) * texture[j, i] + a * texture[j, k]
            lower = (1 - a) * texture[m, i] + a * texture[m, k]
            image[here] = (1 - b) * upper + b * lower
        return image
