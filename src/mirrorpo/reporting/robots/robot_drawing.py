"""Pictures of a robot by casting rays: neither a graphics library nor a display is needed.

The robots here are capsules and spheres on a plane, and a ray's first hit on those has a closed
form. So perspective, occlusion and shadows are exact, and a metre is a metre in every direction.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure
from PIL import Image, ImageDraw, ImageFont

from mirrorpo import files, limits
from mirrorpo.reporting.robots.poses import Poses

BODY_COLOUR = (0.45, 0.55, 0.68)
HIGHLIGHT_COLOUR = (0.90, 0.24, 0.16)
_GROUND_COLOURS = np.array([(0.94, 0.94, 0.92), (0.83, 0.84, 0.83)], np.float32)
_TILE_METRES = 0.5

_LIGHT = np.array([-0.35, -0.5, 1.0], np.float32) / np.float32(math.hypot(0.35, 0.5, 1.0))
_HALF_ANGLE = math.radians(15.0)
"""Half the angle of the field of view, in radians."""
_SAMPLES_A_SIDE = 2
_COLUMNS = 4
_TITLE_INCHES = 6.0
_FRAMES_A_SECOND = 12.5


@dataclass(frozen=True)
class View:
    """Where the camera stands. It follows the torso over the ground, but not up and down.

    Attributes:
        azimuth: degrees around the vertical; at -90 the camera looks along y, and x, in which
            the robots run, points to the right.
        elevation: degrees above the horizon.
        margin: from 1 on, the picture has room for the whole robot in every direction; a flat
            robot seen from above needs less.
    """

    azimuth: float = -80.0
    elevation: float = 10.0
    margin: float = 1.0


VIEWS = {"ant": View(azimuth=-65.0, elevation=38.0, margin=0.9)}
"""For each robot that is not best seen from the side, its view."""


def draw(
    poses: Poses,
    index: int,
    view: View | None = None,
    highlight: str | None = None,
    size: tuple[int, int] = (360, 300),
) -> np.ndarray:
    """One pose as a picture.

    Args:
        poses: the episode.
        index: which of its poses.
        view: the view of the camera; None for the robot's own.
        highlight: limb to draw in `HIGHLIGHT_COLOUR`; None for none.
        size: width and height in pixels.

    Returns:
        Shape (height, width, 3), uint8.
    """
    view = view or VIEWS.get(poses.robot, View())
    middle = _middle(poses)
    reach = np.linalg.norm(poses.ends - middle[:, None, None], axis=-1).max(axis=2)
    distance = float(view.margin * (reach + poses.radius).max() / math.sin(_HALF_ANGLE))
    width, height = (_SAMPLES_A_SIDE * side for side in size)
    azimuth, elevation = math.radians(view.azimuth), math.radians(view.elevation)
    right = np.array([-math.sin(azimuth), math.cos(azimuth), 0.0])
    level = np.array([math.cos(azimuth), math.sin(azimuth), 0.0])
    backward = math.cos(elevation) * level + np.array([0.0, 0.0, math.sin(elevation)])
    up = np.cross(backward, right)
    pixel = 2 * math.tan(_HALF_ANGLE) / min(width, height)
    x = pixel * (np.arange(width) - (width - 1) / 2)
    y = -pixel * (np.arange(height) - (height - 1) / 2)
    rays = x[None, :, None] * right + y[:, None, None] * up - backward
    rays = (rays / np.linalg.norm(rays, axis=-1, keepdims=True)).astype(np.float32)
    lit = np.array([limb is not None and limb == highlight for limb in poses.limb])
    picture = _shade(
        _Scene(
            ends=poses.ends[index],
            radius=poses.radius,
            colours=np.where(lit[:, None], HIGHLIGHT_COLOUR, BODY_COLOUR).astype(np.float32),
        ),
        eye=(middle[index] + distance * backward).astype(np.float32),
        rays=rays.reshape(-1, 3),
        horizon=2.5 * distance,
    )
    blocks = picture.reshape(size[1], _SAMPLES_A_SIDE, size[0], _SAMPLES_A_SIDE, 3)
    return (255 * blocks.mean(axis=(1, 3))).round().clip(0, 255).astype(np.uint8)


def save_strip(
    path: Path, poses: Poses, frames: int, title: str, highlight: str | None = None
) -> None:
    """Write `frames` poses, evenly spread over the episode, side by side as a PNG.

    Raises:
        ValueError: frames below 1.
    """
    chosen = spread(len(poses), frames)
    columns = min(len(chosen), _COLUMNS)
    rows = -(-len(chosen) // columns)
    # In inches: a picture, the line above it, the title.
    width, height, caption, heading = 2.4, 2.0, 0.2, 0.3
    total = rows * (height + caption) + heading
    figure = Figure(figsize=(max(columns * width, _TITLE_INCHES), total), dpi=150)
    figure.suptitle(title, fontsize=9, y=1 - 0.08 / total, va="top")
    axes = figure.subplots(rows, columns, squeeze=False).ravel()
    figure.subplots_adjust(
        left=0,
        right=1,
        bottom=0,
        top=1 - (heading + caption) / total,
        hspace=caption / height,
        wspace=0.02,
    )
    for axis in axes:
        axis.set_axis_off()
    for axis, index in zip(axes, chosen, strict=False):
        axis.imshow(draw(poses, index, highlight=highlight))
        axis.set_title(_caption(poses, index), fontsize=8, pad=2)
    files.write_atomically(path, lambda part: figure.savefig(part, format="png"))


def save_animation(
    path: Path,
    poses: Poses,
    frames: int | None = None,
    highlight: str | None = None,
    progress: Callable[[int, int], None] = lambda done, of: None,
) -> None:
    """Write an endless GIF that plays at the robot's own speed.

    Args:
        path: the file to write.
        poses: the episode.
        frames: pictures, evenly spread over the episode; None for about 12 a second.
        highlight: limb to draw in `HIGHLIGHT_COLOUR`.
        progress: called with the pictures drawn, and of how many.

    Raises:
        ValueError: frames below 1.
    """
    duration = len(poses) * poses.seconds
    if frames is None:
        frames = max(round(duration * _FRAMES_A_SECOND), 1)
    chosen = spread(len(poses), frames)
    font = ImageFont.load_default(size=15)
    pictures = []
    for index in chosen:
        picture = Image.fromarray(draw(poses, index, highlight=highlight))
        ImageDraw.Draw(picture).text((8, 6), _caption(poses, index), fill=(40, 40, 40), font=font)
        pictures.append(picture)
        progress(len(pictures), len(chosen))
    files.write_atomically(
        path,
        lambda part: pictures[0].save(
            part,
            format="GIF",
            save_all=True,
            append_images=pictures[1:],
            duration=round(1000 * duration / len(chosen)),
            loop=0,
        ),
    )


def spread(count: int, wanted: int) -> list[int]:
    """At most `wanted` different indices below `count`, evenly spread, the first and last included.

    Where one is wanted, it is the first.

    Raises:
        ValueError: wanted below 1.
    """
    limits.at_least(1, frames=wanted)
    return sorted({round(i) for i in np.linspace(0, count - 1, min(wanted, count))})


def _caption(poses: Poses, index: int) -> str:
    return f"{index * poses.seconds:.2f} s, return {poses.returns[index]:.0f}"


def _middle(poses: Poses) -> np.ndarray:
    """What the camera looks at, shape (poses, 3).

    It is the torso's place, at half the height that the robot ever reaches, so that a hop shows as
    a hop.
    """
    top = (poses.ends[..., 2] + poses.radius[:, None]).max()
    return np.concatenate([poses.torso[:, :2], np.full((len(poses), 1), top / 2)], axis=1)


@dataclass(frozen=True)
class _Scene:
    """Capsules to be hit by rays: ends (parts, 2, 3), radius (parts,), colours (parts, 3)."""

    ends: np.ndarray
    radius: np.ndarray
    colours: np.ndarray

    def first_hit(self, origin: np.ndarray, rays: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Distance to the first part on each ray, infinite for none, and which part it is.

        `origin` has shape (3,) or (rays, 3); `rays` are unit vectors, shape (rays, 3).
        """
        distance = np.full(len(rays), np.inf, np.float32)
        part = np.zeros(len(rays), int)
        for i, ((start, end), radius) in enumerate(zip(self.ends, self.radius, strict=True)):
            # Most rays pass a part at a distance: only those that meet its bounding sphere count.
            bound = np.linalg.norm(end - start) / 2 + radius
            near = np.flatnonzero(np.isfinite(_to_sphere(origin, rays, (start + end) / 2, bound)))
            from_ = origin if origin.ndim == 1 else origin[near]
            found = _to_capsule(from_, rays[near], start, end, radius)
            closer = found < distance[near]
            distance[near[closer]] = found[closer]
            part[near[closer]] = i
        return distance, part

    def normals(self, points: np.ndarray, part: np.ndarray) -> np.ndarray:
        """Unit normals of the parts' surfaces at `points`, shape (points, 3)."""
        start, end = self.ends[part, 0], self.ends[part, 1]
        axis = end - start
        length = np.maximum(np.sum(axis * axis, axis=1), 1e-12)
        share = np.clip(np.sum((points - start) * axis, axis=1) / length, 0.0, 1.0)
        outward = points - start - share[:, None] * axis
        return outward / self.radius[part, None]


def _to_sphere(
    origin: np.ndarray, rays: np.ndarray, centre: np.ndarray, radius: float
) -> np.ndarray:
    """Distance along each ray to a sphere that begins outside it; infinite without a hit."""
    away = origin - centre
    along = np.sum(rays * away, axis=1)
    inside = along**2 - (np.sum(away * away, axis=-1) - radius**2)
    distance = -along - np.sqrt(np.maximum(inside, 0.0))
    return np.where((inside > 0) & (along < 0), distance, np.inf)


def _to_capsule(
    origin: np.ndarray, rays: np.ndarray, start: np.ndarray, end: np.ndarray, radius: float
) -> np.ndarray:
    """Distance along each ray to the first of a capsule's two round ends and its cylinder."""
    distance = _to_sphere(origin, rays, start, radius)
    length = float(np.linalg.norm(end - start))
    if length > 0:
        axis = (end - start) / length
        away = origin - start
        ray_along, away_along = rays @ axis, away @ axis
        # In the plane across the axis the cylinder is a circle.
        a = 1.0 - ray_along**2
        b = np.sum(rays * away, axis=1) - ray_along * away_along
        c = np.sum(away * away, axis=-1) - away_along**2 - radius**2
        inside = b * b - a * c
        side = (-b - np.sqrt(np.maximum(inside, 0.0))) / np.maximum(a, 1e-9)
        height = away_along + side * ray_along
        hit = (inside > 0) & (side > 0) & (height > 0) & (height < length)
        distance = np.minimum(distance, _to_sphere(origin, rays, end, radius))
        distance = np.minimum(distance, np.where(hit, side, np.inf))
    return np.where(distance > 0, distance, np.inf)


def _shade(scene: _Scene, eye: np.ndarray, rays: np.ndarray, horizon: float) -> np.ndarray:
    """The colour that each ray sees, between 0 and 1, shape (rays, 3).

    The ground fades into a white sky over `horizon` metres.
    """
    picture = np.ones((len(rays), 3), np.float32)
    to_part, part = scene.first_hit(eye, rays)
    down = rays[:, 2] < -1e-6
    to_ground = np.where(down, -eye[2] / np.where(down, rays[:, 2], -1.0), np.inf)

    ground = np.flatnonzero((to_ground < to_part) & (to_ground < horizon))
    points = eye + to_ground[ground, None] * rays[ground]
    tile = np.floor(points[:, :2] / _TILE_METRES).sum(axis=1).astype(int) % 2
    shadow = np.isfinite(scene.first_hit(points, np.broadcast_to(_LIGHT, points.shape))[0])
    colour = _GROUND_COLOURS[tile] * np.where(shadow, 0.62, 1.0)[:, None]
    clear = (1.0 - (to_ground[ground, None] / horizon) ** 2).astype(np.float32)
    picture[ground] = clear * colour + (1.0 - clear)

    body = np.flatnonzero(to_part < to_ground)
    points = eye + to_part[body, None] * rays[body]
    normals = scene.normals(points, part[body])
    # Start a little off the surface, or rounding makes a part shade itself.
    outside = points + 1e-3 * normals
    shadow = np.isfinite(scene.first_hit(outside, np.broadcast_to(_LIGHT, points.shape))[0])
    facing = np.where(shadow, 0.0, np.maximum(normals @ _LIGHT, 0.0))[:, None]
    sky = 0.5 + 0.5 * normals[:, 2:]
    picture[body] = scene.colours[part[body]] * (0.42 + 0.2 * sky + 0.5 * facing)
    return picture
