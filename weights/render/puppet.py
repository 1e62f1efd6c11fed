"""A photograph of a face that follows expression weights and head turns.

The ICT mesh is fitted to the photograph once. A new frame projects the mesh with other weights and another
head turn, and every visible surface point fetches its colour from where it lay in the photograph. Only what
the photograph cannot show (the inside of the mouth, the covered part of the eye) is coloured by rule.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from .fit import ICTFit, euler_matrix
from .ict import F64, ICTModel
from .raster import rasterize, vertex_normals

U8 = NDArray[np.uint8]
F32 = NDArray[np.float32]
Ints = NDArray[np.int_]

_EYE_CONTOURS = (tuple(range(36, 42)), tuple(range(42, 48)))
#: How far above its place in the photograph (in eye widths) a closed lid fetches its skin.
_LID_REACH = 0.25
_INNER_LIPS = tuple(range(60, 68))


@dataclass(frozen=True)
class Light:
    """Direction towards the light (x right, y down, z away), its strength and the ambient part."""

    direction: tuple[float, float, float] = (-0.35, -0.55, -0.76)
    diffuse: float = 0.5
    ambient: float = 0.7

    def shade(self, normals: F64) -> F64:
        """Brightness (n,) of surfaces with unit `normals`."""
        unit = np.asarray(self.direction) / np.linalg.norm(self.direction)
        return np.asarray(self.ambient + self.diffuse * np.clip(normals @ unit, 0.0, None))


class Puppet:
    """One photograph with a fitted face.

    Parameters
    ----------
    model : face model
    image : (H, W, 3) uint8 BGR
    landmarks : (68, 2) pixels of `image`
    fit : the model's fit to `landmarks`
    mouth_open : the photograph shows the inside of the mouth; its picture is used where it is visible
    """

    def __init__(
        self,
        model: ICTModel,
        image: U8,
        landmarks: NDArray[np.floating],
        fit: ICTFit,
        *,
        mouth_open: bool = False,
    ) -> None:
        self.model, self.image, self.fit = model, image, fit
        vertices = model.shape(fit.identity, fit.weights)
        projected = fit.camera.project(vertices)
        target = np.asarray(landmarks, np.float64)
        self._residual = _smooth_residual(projected[:, :2], target, projected[model.landmark_vertices, :2])
        self._source = projected[:, :2] + self._residual
        self._source_normals = (
            vertex_normals(vertices, model.triangles) @ euler_matrix(*fit.camera.rotation).T
        )
        self._lid, self._lash = _lid_shares(model)
        self._eye_distance = float(np.linalg.norm(target[45] - target[36]))
        self._eye_width = float(np.linalg.norm(target[45] - target[42]))
        height, width = image.shape[:2]
        self._eyes = _soft_polygons(height, width, [target[list(c)] for c in _EYE_CONTOURS])
        inner = [target[list(_INNER_LIPS)]] if mouth_open else []
        self._mouth = _soft_polygons(height, width, inner)
        self._sclera = _sclera_colour(image, self._eyes)
        skin = target[[29, 30, 33, 51, 2, 14]].mean(0).astype(int)
        bright = image[max(skin[1] - 9, 0) : skin[1] + 9, max(skin[0] - 9, 0) : skin[0] + 9]
        self._teeth = np.clip(np.array([0.80, 0.88, 0.92]) * (bright.mean() * 1.12 + 12), 0, 235)
        self._gums = np.array([0.26, 0.24, 0.50]) * bright.mean()
        self._lips_depth = float(projected[model.landmark_vertices[60:68], 2].mean())

    def landmarks(self, weights: F64, turn: tuple[float, float, float] = (0, 0, 0)) -> F64:
        """Return the 68 landmarks (68, 2) of a frame, exact by construction."""
        return np.asarray(self._project(weights, turn, (0, 0), 1.0)[0][self.model.landmark_vertices, :2])

    def _project(
        self, weights: F64, turn: tuple[float, float, float], shift: tuple[float, float], zoom: float
    ) -> tuple[F64, F64]:
        vertices = self.model.shape(self.fit.identity, weights)
        camera = self.fit.camera.turned(*turn)
        points = camera.project(vertices)
        points[:, :2] += self._residual
        centre = np.array([self.fit.camera.tx, self.fit.camera.ty])
        points[:, :2] = (points[:, :2] - centre) * zoom + centre + np.asarray(shift)
        normals = vertex_normals(vertices, self.model.triangles) @ euler_matrix(*camera.rotation).T
        return points, normals

    def render(
        self,
        weights: F64,
        turn: tuple[float, float, float] = (0.0, 0.0, 0.0),
        shift: tuple[float, float] = (0.0, 0.0),
        zoom: float = 1.0,
        light: Light | None = None,
    ) -> tuple[U8, F64]:
        """Draw one frame.

        Parameters
        ----------
        weights : expression weights of the frame (absolute, not relative to the photograph)
        turn : angles added to the head's rotation, radians
        shift, zoom : movement of the head in the picture, pixels and factor
        light : light used for the change of shading

        Returns
        -------
        image (H, W, 3) uint8 and the 68 landmarks (68, 2) of the frame
        """
        light = light or Light()
        points, normals = self._project(weights, turn, shift, zoom)
        ratio = np.clip(light.shade(normals) / light.shade(self._source_normals), 0.7, 1.25)
        ratio *= 1.0 - 0.55 * np.clip(self._lash @ self._closing(weights), 0.0, 1.0)
        still, _ = self._project(weights, (0.0, 0.0, 0.0), (0.0, 0.0), 1.0)
        moved = np.linalg.norm(still[:, :2] - self._source, axis=1)
        same = np.exp(-((moved / (0.04 * self._eye_distance)) ** 2))
        attributes = np.column_stack(
            [self._lid_source(weights), ratio, light.shade(normals), points[:, 2], same]
        )
        height, width = self.image.shape[:2]
        values, owner = rasterize(points, self.model.triangles, attributes, height, width)
        kind = np.where(owner >= 0, self.model.triangle_kind[owner], -1)
        maps = _extend(
            values[..., :2], owner >= 0, 0.35 * float(np.ptp(points[self.model.landmark_vertices, 0]))
        )
        frame = cv2.remap(
            self.image, maps[..., 0], maps[..., 1], cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE
        ).astype(np.float32)
        frame *= _feathered(np.where(kind == 0, values[..., 2], 1.0))[..., None]
        frame = self._fill_mouth(frame, kind, values, maps)
        frame = self._fill_eyes(frame, kind, values, maps)
        frame_u8 = np.clip(frame + 0.5, 0, 255).astype(np.uint8)
        return _soften_seams(frame_u8, kind), points[self.model.landmark_vertices, :2].copy()

    def _closing(self, weights: F64) -> F64:
        """How far the left and the right eye are closed (2,)."""
        return weights[[self.model.names.index("eyeBlink_L"), self.model.names.index("eyeBlink_R")]]

    def _lid_source(self, weights: F64) -> F64:
        """Source coordinates; lids that close take their skin from above the lashes, not from the lashes."""
        source = self._source.copy()
        source[:, 1] -= (self._lid @ self._closing(weights)) * _LID_REACH * self._eye_width
        return np.asarray(source)

    def _fill_mouth(self, frame: F32, kind: Ints, values: F32, maps: F32) -> F32:
        inside = kind >= 2
        if not inside.any():
            return frame
        depth = np.clip((values[..., 4] - self._lips_depth) / (6.0 * self.fit.camera.scale), 0.0, 1.0)
        shade = (values[..., 3] * (1.0 - 0.9 * depth**0.7))[..., None]
        rule = np.where((kind == 3)[..., None], self._teeth, self._gums) * np.clip(shade, 0.08, 1.0)
        seen = cv2.remap(self._mouth, maps[..., 0], maps[..., 1], cv2.INTER_LINEAR)
        seen = (seen * values[..., 5])[..., None]
        return np.where(inside[..., None], seen * frame + (1 - seen) * rule, frame).astype(np.float32)

    def _fill_eyes(self, frame: F32, kind: Ints, values: F32, maps: F32) -> F32:
        inside = kind == 1
        if not inside.any():
            return frame
        seen = cv2.remap(self._eyes, maps[..., 0], maps[..., 1], cv2.INTER_LINEAR)[..., None]
        return np.where(inside[..., None], seen * frame + (1 - seen) * self._sclera, frame).astype(np.float32)


def _lid_shares(model: ICTModel) -> tuple[F64, F64]:
    """How much a vertex is skin of the upper lid and how much lash line, left and right (n, 2) each."""
    lid, lash = (np.zeros((len(model.neutral), 2)) for _ in range(2))
    for side, name in enumerate(("eyeBlink_L", "eyeBlink_R")):
        down = np.clip(model.expression[model.names.index(name), :, 1], 0, None)
        share = down / down.max()
        lid[:, side] = share * np.clip((1.0 - share) / 0.1, 0.0, 1.0) ** 0.5
        lash[:, side] = np.clip((share - 0.8) / 0.2, 0.0, 1.0)
    return lid, lash


def _smooth_residual(points: F64, target: F64, current: F64) -> F64:
    """Gaussian-weighted spread (n, 2) of the landmarks' residuals over all vertices."""
    width = float(np.ptp(target[:, 0]))
    sigma = 0.05 * width
    distance = ((current[:, None] - current[None]) ** 2).sum(2)
    gram = np.exp(-distance / (2 * sigma**2)) + 0.05 * np.eye(len(current))
    coefficients = np.linalg.solve(gram, target - current)
    kernel = np.exp(-((points[:, None] - current[None]) ** 2).sum(2) / (2 * sigma**2))
    return np.asarray(kernel @ coefficients)


def _soft_polygons(height: int, width: int, polygons: list[F64]) -> F32:
    """Mask (height, width) in 0..1 of filled polygons with an edge a pixel or two wide."""
    mask = np.zeros((height, width), np.uint8)
    for polygon in polygons:
        cv2.fillPoly(mask, [np.round(polygon * 16).astype(np.int32)], 255, cv2.LINE_AA, 4)
    return np.asarray(cv2.GaussianBlur(mask, (0, 0), 1.2) / 255.0, np.float32)


def _sclera_colour(image: U8, eyes: F32) -> NDArray[np.float64]:
    pixels = image[eyes > 0.9]
    if not len(pixels):
        return np.array([150.0, 160.0, 165.0])
    order = np.argsort(pixels.sum(1))
    return np.asarray(pixels[order[len(order) * 6 // 10 : len(order) * 9 // 10 + 1]].mean(0))


def _extend(source: F32, drawn: NDArray[np.bool_], reach: float) -> F32:
    """Source coordinates for every pixel: outside the mesh its displacement fades out over `reach` px."""
    height, width = drawn.shape
    grid = np.stack(np.meshgrid(np.arange(width), np.arange(height)), -1).astype(np.float32)
    displacement = np.where(drawn[..., None], source - grid, 0).astype(np.float32)
    distance, label = cv2.distanceTransformWithLabels(
        (~drawn).astype(np.uint8), cv2.DIST_L2, 5, labelType=cv2.DIST_LABEL_PIXEL
    )
    where = np.flatnonzero(drawn)
    lookup = np.zeros(label.max() + 1, np.int64)
    lookup[label.ravel()[where]] = where
    nearest = displacement.reshape(-1, 2)[lookup[label]]
    blurred = cv2.GaussianBlur(nearest, (0, 0), 0.12 * reach + 1)
    mix = np.clip(distance / (0.1 * reach + 1), 0, 1)[..., None]
    fade = np.clip(1 - distance / (2 * reach), 0, 1)
    fade = (fade * fade * (3 - 2 * fade))[..., None]
    outside = (nearest * (1 - mix) + blurred * mix) * fade
    return np.asarray(grid + np.where(drawn[..., None], displacement, outside), np.float32)


def _feathered(ratio: F32) -> F32:
    return np.asarray(cv2.GaussianBlur(ratio.astype(np.float32), (0, 0), 1.5))


def _soften_seams(frame: U8, kind: Ints) -> U8:
    """Blend a pixel across borders of skin, eye and mouth, where the rasteriser leaves stairs."""
    edge = np.zeros(kind.shape, np.uint8)
    edge[:, 1:] |= (kind[:, 1:] != kind[:, :-1]).astype(np.uint8)
    edge[1:] |= (kind[1:] != kind[:-1]).astype(np.uint8)
    mask = cv2.GaussianBlur(cv2.dilate(edge, np.ones((2, 2), np.uint8)).astype(np.float32), (0, 0), 0.8)
    mask = np.clip(mask * 1.5, 0, 1)[..., None]
    blurred = cv2.GaussianBlur(frame, (0, 0), 1.0)
    return np.asarray(frame * (1 - mask) + blurred * mask + 0.5).astype(np.uint8)
