"""Draws one eye with known gaze, lids, iris and pupil: the right one of the picture; the left is its mirror image."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from weights.render.fit import euler_matrix
from weights.render.raster import rasterize, vertex_normals

from .mesh import F32, F64, EyeParts, Ints

#: Picture that is drawn: px a millimetre, and its size in mm (width, height) around the middle of the eye corners.
DENSITY, EXTENT = 4.0, (62.0, 44.0)
IRIS_RADIUS, IRIS_UV, PUPIL_UV = 5.95, 0.140, 0.064  # of the eyeball's mesh and texture
INNER_CORNER_UV = (0.232, 0.452)  # canthus on the skin textures; the hole in the mesh ends short of it
LID_FALLOFF = 6.0  # mm over which skin follows the margin of a lid
_LID_HEIGHT_AT_REST = 0.5  # place of the closed slit between the lids: share of the way down


@dataclass(frozen=True)
class EyeScene:
    """What is drawn: identity, movement and light, all chosen by `random_scene`.

    Attributes
    ----------
    shape : coefficients of the shape model, in standard deviations
    skin, iris : names of textures
    gaze : unit vector, camera frame (x right, y down, z away)
    head : pitch, yaw, roll in radians
    closing : 0 as the shape has it, 1 shut; negative wide open
    follow : how much of the eye's turn up or down the upper lid goes along with
    squint : how far the lower lid is raised, as a share of the opening
    other_skin, other_share : a second skin and how much of the first it takes the place of
    iris_size, pupil_size : factors
    light : directions (k, 3) and strengths (k,), ambient part
    """

    shape: F64
    skin: str
    iris: str
    gaze: F64
    head: tuple[float, float, float]
    closing: float
    iris_size: float
    pupil_size: float
    light: F64
    strength: F64
    ambient: float
    sclera: float
    brightness: float
    lashes: float
    glasses: bool
    glints: int
    follow: float
    squint: float
    other_skin: str = ""
    other_share: float = 0.0


@dataclass(frozen=True)
class DrawnEye:
    """A picture (rows, cols) float32 of 0 to 255, its truth in px of it, and px a millimetre.

    Attributes
    ----------
    points : (28, 2) iris, lids, pupil in OpenFace's order
    corners : (2, 2) middle-of-face and outer corner
    opening : distance of the lids over the middle of the eye, mm
    """

    picture: F32
    points: F64
    corners: F64
    opening: float


class EyeRenderer:
    """Draws `EyeScene` with the parts of UnityEyes 2."""

    def __init__(self, parts: EyeParts) -> None:
        self._parts = parts
        loop = _hole(parts)
        fine = parts.subdivide @ parts.mean
        at = fine[loop]
        left, right = int(at[:, 0].argmin()), int(at[:, 0].argmax())
        first = _between(loop, left, right)
        second = _between(loop, right, left)[::-1]
        mid = [fine[side][:, 1].mean() for side in (first, second)]
        self._upper, self._lower = (first, second) if mid[0] < mid[1] else (second, first)
        self._inner = int(np.linalg.norm(parts.region_uv - np.array(INNER_CORNER_UV), axis=1).argmin())
        self._outer = int(loop[right])
        self._triangles = np.concatenate([parts.region_triangles, parts.ball_triangles + len(fine)]).astype(
            np.int32
        )
        self._region_count = len(parts.region_triangles)

    def region(self, scene: EyeScene) -> tuple[F64, F64]:
        """Vertices (872, 3) of the eye region in the head's frame, lids moved, and the lids' margin heights."""
        parts = self._parts
        scaled = scene.shape * parts.spread[: len(scene.shape)]
        coarse = parts.mean + np.tensordot(scaled, parts.components[: len(scene.shape)], 1)
        fine = parts.subdivide @ coarse
        gaze = euler_matrix(*scene.head).T @ scene.gaze
        pitch = float(np.arcsin(np.clip(gaze[1], -1, 1)))  # down is positive
        upper, lower = fine[self._upper], fine[self._lower]
        angle = lambda p: np.arctan2(p[:, 1], -p[:, 2])  # noqa: E731 - elevation, down positive
        a_up, a_low = angle(upper), angle(lower)
        low_at = np.interp(upper[:, 0], lower[:, 0], a_low)
        # lids follow the gaze, then close
        room = low_at - a_up
        follow_up = np.clip(scene.follow * pitch, -0.35 * room, 0.85 * room)
        follow_low = np.clip(0.45 * scene.follow * pitch, -0.1, 0.15) * np.minimum(room / 0.5, 1.0)
        new_up, new_low = a_up + follow_up, low_at + follow_low
        meet = new_up + (1 - 0.15 * _LID_HEIGHT_AT_REST) * (new_low - new_up)
        closing = scene.closing
        move_up = follow_up + closing * (meet - new_up)
        raised = scene.squint * (1 - np.clip(closing, 0, 1)) * (new_low - new_up)
        move_low = follow_low + max(closing, 0.0) * (meet - new_low) - raised
        x = fine[:, 0]
        elevation = angle(fine)
        edge_up, edge_low = np.interp(x, upper[:, 0], a_up), np.interp(x, lower[:, 0], a_low)
        side = np.clip(1.15 - (np.abs(x - 0.9) / 12.5) ** 2, 0.0, 1.0)
        above = np.clip((edge_up - elevation) * 13.0, 0, None)
        below = np.clip((elevation - edge_low) * 13.0, 0, None)
        nearer_up = elevation < 0.5 * (edge_up + edge_low)
        weight = np.where(
            nearer_up, np.exp(-((above / LID_FALLOFF) ** 2)), np.exp(-((below / LID_FALLOFF) ** 2))
        )
        amount = np.where(nearer_up, np.interp(x, upper[:, 0], move_up), np.interp(x, upper[:, 0], move_low))
        turn = np.where(fine[:, 2] < 0, weight * amount, 0.0) * np.where(np.abs(x - 0.9) < 14, side > 0, 0)
        cos, sin = np.cos(turn), np.sin(turn)
        y, z = fine[:, 1] * cos - fine[:, 2] * sin, fine[:, 1] * sin + fine[:, 2] * cos
        moved = np.column_stack([x, y, z])
        # skin stays outside the eyeball
        radius = np.linalg.norm(moved, axis=1)
        near = (radius < 12.6) & (moved[:, 2] < 0)
        moved[near] *= (12.6 / radius[near])[:, None]
        return moved, np.array([moved[self._upper], moved[self._lower]], dtype=object)

    def draw(self, scene: EyeScene, rng: np.random.Generator) -> DrawnEye:
        """Draw a scene; `rng` decides about details that have no label (lashes, glints, glasses, background)."""
        parts = self._parts
        fine, margins = self.region(scene)
        head = euler_matrix(*scene.head)
        ball = _turned(parts.ball, scene.gaze)
        region = fine @ head.T
        upper, lower = (np.asarray(m, np.float64) @ head.T for m in margins)
        corners = region[[self._inner, self._outer]]
        centre = corners.mean(axis=0)
        vertices = np.concatenate([region, ball])
        width, height = (int(side * DENSITY) for side in EXTENT)
        pixels = (vertices - centre) * DENSITY
        pixels[:, :2] += np.array([width / 2 - 0.5, height / 2 - 0.5])
        normals = np.concatenate([
            vertex_normals(region, parts.region_triangles), vertex_normals(ball, parts.ball_triangles),
        ])  # fmt: skip
        normals[normals[:, 2] > 0.2] *= -1  # either winding
        light = scene.ambient + np.clip(normals @ scene.light.T, 0, None) @ scene.strength
        # the upper lid and the lashes shade the eyeball
        edge = np.interp(ball[:, 0], upper[:, 0], upper[:, 1])
        shade = 1 - 0.55 * np.exp(-np.clip(ball[:, 1] - edge, 0, None) / 1.6)
        light[len(region) :] *= shade * (0.75 + 0.25 * np.clip(-normals[len(region) :, 2], 0, 1))
        uv = np.concatenate([parts.region_uv, 0.5 + (parts.ball_uv - 0.5) / scene.iris_size])
        attributes = np.column_stack([uv, light])
        values, owner = rasterize(pixels, self._triangles, attributes, height, width)
        picture = self._colour(scene, values, owner, rng)
        points = self._points(scene, ball, upper, lower, corners)
        to_px = lambda p: (p[:, :2] - centre[:2]) * DENSITY + np.array([width / 2 - 0.5, height / 2 - 0.5])  # noqa: E731
        placed = to_px(points)
        eyeball = (owner >= self._region_count).astype(np.float32)
        self._lashes(picture, scene, to_px(upper), rng)
        _glints(picture, eyeball, placed, scene, rng)
        if scene.glasses:
            _glasses(picture, rng)
        middle = np.interp(points[:8, 0].mean(), upper[:, 0], upper[:, 1])
        low = np.interp(points[:8, 0].mean(), lower[:, 0], lower[:, 1])
        return DrawnEye(picture, placed, to_px(corners), float(max(low - middle, 0.0)))

    def _colour(self, scene: EyeScene, values: F32, owner: Ints, rng: np.random.Generator) -> F32:
        parts = self._parts
        gaze_down = float(np.clip((euler_matrix(*scene.head).T @ scene.gaze)[1] * 2.2 + scene.closing, 0, 1))
        skin = self._skin(scene.skin, gaze_down)
        if scene.other_share > 0:
            skin = skin + scene.other_share * (self._skin(scene.other_skin, gaze_down) - skin)
        iris = parts.irises[scene.iris]
        offset = values[..., :2] - 0.5
        radius = np.linalg.norm(offset, axis=2)
        # the pupil's edge moves; the iris between it and its rim stretches
        edge = PUPIL_UV * scene.pupil_size
        inside = np.where(
            radius < edge, radius / edge * PUPIL_UV,
            PUPIL_UV + (radius - edge) / (IRIS_UV - edge) * (IRIS_UV - PUPIL_UV),
        )  # fmt: skip
        stretched = (
            np.where(radius < IRIS_UV, inside / np.maximum(radius, 1e-6), 1.0)[..., None] * offset + 0.5
        )
        is_ball = owner >= self._region_count
        where = np.where(is_ball[..., None], stretched, values[..., :2]).astype(np.float32)
        size = np.float32(skin.shape[0])
        u, v = where[..., 0] * size - 0.5, (1 - where[..., 1]) * size - 0.5
        flags = {"interpolation": cv2.INTER_LINEAR, "borderMode": cv2.BORDER_REPLICATE}
        on_skin = cv2.remap(np.asarray(skin, np.float32), u, v, **flags)
        on_ball = cv2.remap(iris, u, v, **flags)
        white = radius > IRIS_UV
        on_ball = np.where(white, on_ball * scene.sclera, on_ball * 1.1)
        colour = np.where(is_ball, on_ball * 0.8, on_skin * scene.brightness) * values[..., 2]
        return np.where(owner >= 0, colour, rng.uniform(10, 200)).astype(np.float32)

    def _skin(self, name: str, gaze_down: float) -> F32:
        parts = self._parts
        return np.asarray(
            parts.skins[name] * (1 - gaze_down) + parts.skins_down[name] * gaze_down, np.float32
        )

    def _points(self, scene: EyeScene, ball: F64, upper: F64, lower: F64, corners: F64) -> F64:
        """Place 28 points, camera's frame: iris from the left over the top, lids likewise, pupil from lower left."""
        out = np.empty((28, 3))
        radius = IRIS_RADIUS * scene.iris_size
        depth = -np.sqrt(max(12.05**2 - radius**2, 1.0))
        for start, size, angles in (
            (0, radius, np.pi - np.arange(8) * np.pi / 4),
            (20, radius * PUPIL_UV / IRIS_UV * scene.pupil_size, -3 * np.pi / 4 + np.arange(8) * np.pi / 4),
        ):
            circle = np.column_stack([size * np.cos(angles), -size * np.sin(angles), np.full(8, depth)])
            out[start : start + 8] = _turned(circle, scene.gaze)
        inner, outer = corners
        for at, margin, count in ((9, upper, 5), (15, lower, 5)):
            line = np.concatenate([inner[None], margin, outer[None]])
            line = line[np.argsort(line[:, 0], kind="stable")]
            x = inner[0] + (outer[0] - inner[0]) * np.arange(1, count + 1) / (count + 1)
            points = np.column_stack([np.interp(x, line[:, 0], line[:, k]) for k in range(3)])
            out[at : at + count] = points if at == 9 else points[::-1]
        out[8], out[14] = inner, outer
        return out

    def _lashes(self, picture: F32, scene: EyeScene, upper: F64, rng: np.random.Generator) -> None:
        if scene.lashes <= 0:
            return
        layer = np.zeros(picture.shape, np.float32)
        cv2.polylines(layer, [np.round(upper * 16).astype(np.int32)], False, 1.0, 2, cv2.LINE_AA, 4)
        for _ in range(int(rng.integers(8, 26))):
            t = rng.random()
            root = upper[int(t * (len(upper) - 1))]
            lean = (t - 0.45) * 2.2 + rng.normal(0, 0.25)
            way = -1.0 if scene.closing < 0.6 else 0.6
            tip = root + DENSITY * rng.uniform(1.5, 5.0) * np.array([lean * 0.7, way * rng.uniform(0.5, 1.0)])
            line = np.round(np.array([root, tip]) * 16).astype(np.int32)
            cv2.polylines(layer, [line], False, 0.8, 1, cv2.LINE_AA, 4)
        picture *= 1 - scene.lashes * cv2.GaussianBlur(layer, (0, 0), 0.8)


def _hole(parts: EyeParts) -> Ints:
    """Vertices around the opening between the lids, in order."""
    count: dict[tuple[int, int], int] = {}
    for t in parts.region_triangles.tolist():
        for a, b in ((t[0], t[1]), (t[1], t[2]), (t[2], t[0])):
            count[min(a, b), max(a, b)] = count.get((min(a, b), max(a, b)), 0) + 1
    near: dict[int, list[int]] = {}
    for (a, b), number in count.items():
        if number == 1:
            near.setdefault(a, []).append(b)
            near.setdefault(b, []).append(a)
    fine = parts.subdivide @ parts.mean
    left = set(near)
    while left:
        start = min(left)
        loop, at = [start], start
        left.discard(start)
        while ahead := [k for k in near[at] if k in left]:
            at = ahead[0]
            loop.append(at)
            left.discard(at)
        if np.ptp(fine[loop][:, 0]) < 30:  # the other loop is the mesh's outer border
            return np.array(loop, np.int32)
    raise ValueError("the eye region has no opening")


def _between(loop: Ints, first: int, last: int) -> Ints:
    """Part of a closed loop from one place to another, both included."""
    return loop[first : last + 1] if first <= last else np.concatenate([loop[first:], loop[: last + 1]])


def _turned(points: F64, gaze: F64) -> F64:
    """Points of an eye that looks to -z, turned to look along `gaze` without torsion."""
    yaw = np.arctan2(-gaze[0], -gaze[2])
    pitch = np.arcsin(np.clip(gaze[1], -1, 1))
    return np.asarray(points @ (euler_matrix(0, yaw, 0) @ euler_matrix(pitch, 0, 0)).T)


def _glints(picture: F32, eyeball: F32, points: F64, scene: EyeScene, rng: np.random.Generator) -> None:
    """Reflections of lamps and windows on the cornea."""
    centre = points[:8].mean(axis=0)
    radius = max(float(np.ptp(points[:8, 0])) / 2, 1.0)
    layer = np.zeros(picture.shape, np.float32)
    for _ in range(scene.glints):
        at = centre + rng.normal(0, 0.45, 2) * radius
        size = radius * rng.uniform(0.06, 0.28)
        box = (
            tuple(at.tolist()),
            (float(size * 2), float(size * 2 * rng.uniform(0.5, 1.5))),
            float(rng.uniform(0, 90)),
        )
        if rng.random() < 0.5:
            cv2.ellipse(layer, box, 1.0, -1, cv2.LINE_AA)
        else:
            cv2.fillPoly(layer, [np.round(cv2.boxPoints(box)).astype(np.int32)], 1.0)
    layer = cv2.GaussianBlur(layer, (0, 0), float(rng.uniform(0.5, 1.5))) * eyeball * rng.uniform(0.4, 1.0)
    picture += layer * (245 - picture)


def _glasses(picture: F32, rng: np.random.Generator) -> None:
    """Draw a dark or light rim, a shifted shade of the glass, and reflections in it."""
    height, width = picture.shape
    centre = np.array([width / 2, height / 2]) + rng.normal(0, 2, 2) * DENSITY
    axes = np.array([rng.uniform(20, 28), rng.uniform(13, 20)]) * DENSITY
    layer = np.zeros(picture.shape, np.float32)
    box = (tuple(centre.tolist()), tuple((2 * axes).tolist()), float(rng.normal(0, 4)))
    cv2.ellipse(layer, box, 1.0, int(rng.uniform(1, 3.5) * DENSITY / 2), cv2.LINE_AA)
    colour = rng.uniform(5, 90) if rng.random() < 0.8 else rng.uniform(150, 220)
    picture += layer * rng.uniform(0.6, 1.0) * (colour - picture)
    for _ in range(int(rng.integers(0, 4))):
        shine = np.zeros(picture.shape, np.float32)
        at = centre + rng.normal(0, 0.5, 2) * axes
        shape = (at + rng.normal(0, 1, (4, 2)) * axes * rng.uniform(0.1, 0.5)).astype(np.int32)
        cv2.fillConvexPoly(shine, cv2.convexHull(shape), 1.0)
        shine = cv2.GaussianBlur(shine, (0, 0), float(rng.uniform(1, 6)))
        picture += shine * rng.uniform(0.15, 0.8) * (250 - picture)


def random_scene(parts: EyeParts, skins: list[str], rng: np.random.Generator) -> EyeScene:
    """Choose a scene: gaze and head evenly over their ranges, not near the lens more than elsewhere."""
    yaw = np.deg2rad(rng.uniform(-38, 38) if rng.random() < 0.7 else rng.normal(0, 12))
    pitch = np.deg2rad(rng.uniform(-25, 25))
    head = (float(pitch), float(yaw), float(np.deg2rad(rng.normal(0, 3))))
    # the eye turns up to 36 degrees sideways, 26 up and 30 down, in the head
    side, up = np.deg2rad(rng.uniform(-36, 36)), np.deg2rad(rng.uniform(-26, 30))
    in_head = np.array([np.sin(side) * np.cos(up), np.sin(up), -np.cos(side) * np.cos(up)])
    draw = rng.random()
    closing = 0.0
    if draw < 0.12:
        closing = 1.0
    elif draw < 0.34:
        closing = float(rng.uniform(0.2, 1.0))
    elif draw < 0.46:
        closing = float(
            rng.uniform(-0.55, -0.2)
        )  # eyes of surprise: white above the iris is no sign of a gaze down
    elif draw < 0.8:
        closing = float(rng.uniform(-0.22, 0.2))
    lights = rng.normal(0, 0.8, (2, 3))
    lights[:, 2] = -np.abs(lights[:, 2]) - 0.4
    lights[:, 1] -= 0.4
    lights /= np.linalg.norm(lights, axis=1, keepdims=True)
    irises = ["eyeball_brown"] * 3 + list(parts.irises)  # dark irises are most people's
    return EyeScene(
        rng.normal(0, 1.0, 16), str(rng.choice(skins)), str(rng.choice(irises)), euler_matrix(*head) @ in_head,
        head, closing,
        float(rng.uniform(0.9, 1.1)), float(rng.uniform(0.6, 1.4)), lights, rng.uniform(0.0, 0.7, 2),
        float(rng.uniform(0.35, 0.8)), float(rng.uniform(0.55, 1.0)), float(rng.uniform(0.35, 1.25)),
        float(rng.uniform(0.0, 0.95)), bool(rng.random() < 0.15), int(rng.integers(0, 4)),
        float(rng.uniform(0.35, 1.0)), float(rng.uniform(0, 0.4)) if rng.random() < 0.3 else 0.0,
    )  # fmt: skip
