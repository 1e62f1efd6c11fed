"""Windows of drawn and real eyes with what is known about each."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from pyclnf import CLNF
from pyclnf.clnf import load_model as load_landmarks
from pyclnf.geometry import euler_to_matrix
from pyclnf.image import to_grey
from pyclnf.open_eyes import (
    CORNERS,
    MIRROR,
    OPENING_UNIT,
    POINT_UNIT,
    POINTS,
    WINDOW,
    WINDOW_WIDTH,
    EyeFrames,
    OpenEyes,
    eye_frames,
    head_inputs,
    sample_windows,
    seen_along,
)
from pyclnf.open_head import HeadAnatomy
from pyclnf.pose import Camera, head_pose
from pymtcnn import MTCNN
from weights.landmarks.data import centred, load_keypoints, split_mask
from weights.landmarks.labels import named_points
from weights.landmarks.london import LondonSet, load_london, resized
from weights.landmarks.pdm import ShapeModel
from weights.landmarks.prepare import london_people, make_labels
from weights.landmarks.sampling import fitted_faces

from .mesh import EyeParts
from .render import DENSITY, EyeRenderer, random_scene

LOG = logging.getLogger(__name__)
F32 = NDArray[np.float32]
F64 = NDArray[np.float64]
#: Corner to corner the drawn eye is 28.0 mm and the shape model's 25.7 mm.
DRAWN_MM = 28.0 / 25.7
UNSEEN_SKINS = ("f02", "f05", "m03", "m11")
LONDON_SIZES = (45.0, 70.0, 110.0)  # px between the outer eye corners
#: px a millimetre of the shape model: faces of 30 to 250 px between the outer eye corners.
FINEST, COARSEST = 2.8, 0.34
PLACE_NOISE_MM, SIZE_NOISE, ROLL_NOISE, HEAD_NOISE = 1.1, 0.06, 0.05, 0.07
# MediaPipe's lid contours of the eye at the right of the picture, from its inner to its outer corner, and its irises
_UPPER = (362, 398, 384, 385, 386, 387, 388, 466, 263)
_LOWER = (362, 382, 381, 380, 374, 373, 390, 249, 263)
_UPPER_LEFT = (33, 246, 161, 160, 159, 158, 157, 173, 133)
_LOWER_LEFT = (33, 7, 163, 144, 145, 153, 154, 155, 133)
_IRISES = (468, 473)
FAR = 1e6  # px of focal length: a camera so far away that sizes do not change with depth


@dataclass(frozen=True)
class EyeSet:
    """Windows (n, 32, 48) uint8, heads (n, 2), targets (n, 60), NaN where unknown, and person or skin of each.

    The last target is 1 where there is an eye to see and 0 where there is none.
    """

    windows: NDArray[np.uint8]
    heads: F32
    targets: F32
    source: NDArray[np.str_]

    def save(self, path: Path) -> None:
        """Keep the set as an .npz file."""
        np.savez(path, **{name: getattr(self, name) for name in self.__dataclass_fields__})

    def part(self, chosen: NDArray[np.bool_]) -> EyeSet:
        """Return the chosen windows."""
        return EyeSet(*(getattr(self, name)[chosen] for name in self.__dataclass_fields__))

    @classmethod
    def joined(cls, sets: Sequence[EyeSet]) -> EyeSet:
        """Put sets one after the other."""
        return cls(*(np.concatenate([getattr(s, name) for s in sets]) for name in cls.__dataclass_fields__))

    @classmethod
    def load(cls, path: Path) -> EyeSet:
        """Read a set written by `save`."""
        with np.load(path, allow_pickle=False) as stored:
            return cls(**{name: stored[name] for name in cls.__dataclass_fields__})

    @classmethod
    def of(cls, rows: list[tuple[F32, F64, F64, str]]) -> EyeSet:
        """Collect rows of window, head, target and source."""
        windows, heads, targets, source = zip(*rows, strict=True)
        return cls(
            np.clip(np.rint(np.array(windows)), 0, 255).astype(np.uint8), np.array(heads, np.float32),
            np.array(targets, np.float32), np.array(source),
        )  # fmt: skip


def window_of(
    image: NDArray[np.uint8], centre: F64, scale: float, roll: float, mirrored: bool
) -> tuple[F32, F64, F64]:
    """One window (32, 48) as the product cuts it out, and its frame (centre, axes)."""
    step = scale * WINDOW_WIDTH / WINDOW[1]
    cos, sin = np.cos(roll) * step, np.sin(roll) * step
    sign = -1.0 if mirrored else 1.0
    axes = np.array([[sign * cos, -sin], [sign * sin, cos]])
    return sample_windows(image, EyeFrames(centre[None], axes[None], roll))[0], centre, axes


def target_of(
    points: F64 | None, centre: F64, axes: F64, gaze: F64 | None, opening: float, there: float
) -> F64:
    """Targets (60,) of a window with this frame: gaze in the window, points px of the picture, opening in mm."""
    out = np.full(2 + 2 * POINTS + 2, np.nan)
    if gaze is not None:
        out[:2] = gaze
    if points is not None:
        out[2:-2] = (np.linalg.solve(axes, (points - centre).T).T / POINT_UNIT).ravel()
    out[-2], out[-1] = opening / OPENING_UNIT, there
    return out


def camera_like(picture: F32, density: float, rng: np.random.Generator) -> tuple[NDArray[np.uint8], F64]:
    """Picture at ``density`` px a millimetre with softness, noise, exposure and JPEG; returns size factors (2,) too."""
    factor = density / DENSITY * DRAWN_MM**-1 if density < DENSITY else 1.0
    height, width = picture.shape
    size = (max(8, round(width * factor)), max(8, round(height * factor)))
    small = cv2.resize(picture, size, interpolation=cv2.INTER_AREA)
    if rng.random() < 0.45:
        small = cv2.GaussianBlur(small, (0, 0), float(rng.uniform(0.3, 1.3)))
    if rng.random() < 0.06:  # moves
        kernel = np.zeros((5, 5), np.float32)
        kernel[2, :] = 0.2
        small = cv2.filter2D(small, -1, kernel if rng.random() < 0.6 else kernel.T)
    level = rng.uniform(0.5, 1.5) * 110 / max(float(small.mean()), 10.0)
    small = 255 * np.clip(small * level / 255, 0, 1.2) ** float(np.exp(rng.normal(0, 0.25)))
    small = small + rng.normal(0, rng.uniform(0, 7), small.shape)
    out = np.clip(small, 0, 255).astype(np.uint8)
    if rng.random() < 0.4:
        _, packed = cv2.imencode(".jpg", out, [cv2.IMWRITE_JPEG_QUALITY, int(rng.integers(40, 95))])
        out = np.asarray(cv2.imdecode(packed, cv2.IMREAD_GRAYSCALE), np.uint8)
    return out, np.array([size[0] / width, size[1] / height])


def drawn_pairs(parts: EyeParts, count: int, seed: int, skins: list[str]) -> tuple[EyeSet, F64, F64, F64]:
    """Draw both eyes of ``count`` people: windows in pairs (left eye first), gaze (n, 3), head (n, 3, 3), px a mm (n,).

    The left eye is the mirror image of an eye drawn with the mirrored gaze and head.
    """
    renderer = EyeRenderer(parts)
    rng = np.random.default_rng(seed)
    rows, gazes, heads, sizes = [], [], [], []
    mirror = np.array([-1.0, 1.0, 1.0])
    while len(gazes) < count:
        scene = random_scene(parts, skins, rng)
        if scene.closing > 0.3:
            continue
        head = euler_to_matrix(np.array(scene.head))
        density = float(np.exp(rng.uniform(np.log(COARSEST), np.log(FINEST))))
        detail = int(rng.integers(1 << 30))
        for side in (0, 1):
            flipped = side == 0
            turn = (scene.head[0], -scene.head[1], -scene.head[2]) if flipped else scene.head
            light = scene.light * mirror if flipped else scene.light
            gaze = scene.gaze * mirror if flipped else scene.gaze
            one = type(scene)(**{**scene.__dict__, "head": turn, "gaze": gaze, "light": light})
            eye = renderer.draw(one, np.random.default_rng([detail, side]))
            image, factor = camera_like(eye.picture, density, np.random.default_rng([detail, 7]))
            corners = (eye.corners + 0.5) * factor - 0.5
            scale = DENSITY * float(factor.mean()) * DRAWN_MM * float(np.exp(rng.normal(0, SIZE_NOISE / 2)))
            centre = corners.mean(axis=0) + rng.normal(0, PLACE_NOISE_MM / 2, 2) * scale
            matrix = euler_to_matrix(np.array(turn))
            roll = float(np.arctan2(matrix[1, 0], matrix[0, 0]))
            window, at, axes = window_of(image, centre, scale, roll, False)
            view = [in_window(v, roll) for v in (-matrix[:, 2], gaze)]
            target = target_of(
                (eye.points + 0.5) * factor - 0.5, at, axes, view[1], eye.opening / DRAWN_MM, 1.0
            )
            rows.append((window, view[0] + rng.normal(0, HEAD_NOISE / 2, 2), target, scene.skin))
        gazes.append(scene.gaze)
        heads.append(head)
        sizes.append(density)
    return EyeSet.of(rows), np.array(gazes), np.array(heads), np.array(sizes)


def mesh_eye_points(mesh: F64) -> F64:
    """28 points (2, 28, 2) px of both eyes by MediaPipe's mesh (478, 3); pupils are NaN."""
    out = np.full((2, POINTS, 2), np.nan)
    # the constants of the 68 points' lids: the mean height by which MediaPipe's contours lie low
    size = float(np.linalg.norm(mesh[263, :2] - mesh[33, :2]))
    sides = ((_UPPER_LEFT, _LOWER_LEFT), (_UPPER, _LOWER))
    named = named_points(mesh[None])[0]
    for side, (upper, lower) in enumerate(sides):
        left, right = named[[36 - 31, 39 - 31] if side == 0 else [42 - 31, 45 - 31]]
        for at, contour, shift in ((9, upper, -0.0042), (15, lower, -0.0065)):
            line = mesh[list(contour), :2] + np.array([0, shift * size])
            line[0], line[-1] = left, right
            x = left[0] + (right[0] - left[0]) * np.arange(1, 6) / 6
            points = np.column_stack([x, np.interp(x, line[:, 0], line[:, 1])])
            out[side, at : at + 5] = points if at == 9 else points[::-1]
        out[side, 8], out[side, 14] = left, right
        centre, ring = mesh[_IRISES[side], :2], mesh[_IRISES[side] + 1 : _IRISES[side] + 5, :2]
        radius = np.linalg.norm(ring - centre, axis=1).mean()
        angles = np.pi - np.arange(8) * np.pi / 4
        out[side, :8] = centre + radius * np.column_stack([np.cos(angles), -np.sin(angles)])
    return out


def seen_head(anatomy: HeadAnatomy, points: F64, scale: float, euler: F64) -> F64:
    """Rotation (3, 3) of a fitted face, px, seen from far away."""
    camera = Camera(FAR, FAR, 0.0, 0.0)
    depth = FAR / scale
    start = np.append(points.mean(axis=0) / scale, depth)
    pose = anatomy.pose(points, camera, euler_to_matrix(euler), start)
    return euler_to_matrix(pose[3:] if np.isfinite(pose).all() else euler)


@dataclass(frozen=True)
class RealFace:
    """A face of the training material: 8-bit grey picture, 68 points, px a millimetre, head (3, 3), MediaPipe's eyes.

    Attributes
    ----------
    seen : (2, 28, 2) px, image left first; pupils are NaN
    lens : whether the person looks into the lens
    """

    image: NDArray[np.uint8]
    points: F64
    scale: float
    head: F64
    seen: F64
    lens: bool
    source: str


def real_faces(
    data: Path, model: ShapeModel, anatomy: HeadAnatomy, london: Path | None, part: str
) -> Iterator[RealFace]:
    """Faces of the crops of a part; for ``train`` also of the London people, who look into the lens."""
    faces = load_keypoints(data / "keypoints")
    labels, mapping = make_labels(faces)
    chosen = np.flatnonzero(labels.trusted & split_mask(faces.persons, part))
    fits = fitted_faces(model, labels.fused[chosen])
    for k, index in enumerate(chosen):
        head = seen_head(anatomy, labels.fused[index], fits.scale[k], fits.euler[k])
        yield RealFace(faces.grey(int(index)), labels.fused[index], float(fits.scale[k]), head,
                       mesh_eye_points(faces.mediapipe[index]), False, str(faces.persons[index]))  # fmt: skip
    if part != "train" or london is None:
        return
    people = load_london(data / "london")
    with np.load(london, allow_pickle=False) as stored:
        at = {str(name): i for i, name in enumerate(stored["names"])}
        meshes = centred(stored["points"].astype(np.float64))
    for person in london_people("train"):
        for smiling in (False, True):
            mesh = meshes[at[f"{person}_{'smiling' if smiling else 'neutral'}.jpg"]]
            points = mapping(mesh[None])[0]
            now = float(np.linalg.norm(points[45] - points[36]))
            for size in LONDON_SIZES:
                image, flat = resized(
                    people.image(person, smiling), np.concatenate([points, mesh[:, :2]]), now, size
                )
                fit = fitted_faces(model, flat[None, :68])
                head = seen_head(anatomy, flat[:68], fit.scale[0], fit.euler[0])
                seen = mesh_eye_points(np.column_stack([flat[68:], mesh[:, 2]]))
                yield RealFace(to_grey(image), flat[:68], float(fit.scale[0]), head, seen, True,
                               f"london_{person}")  # fmt: skip


def real_eyes(data: Path, model: ShapeModel, anatomy: HeadAnatomy, part: str, seed: int) -> EyeSet:
    """Cut out eyes of the crops of a part as they are; MediaPipe's irises and lids are their points."""
    rng = np.random.default_rng(seed)
    rows: list[tuple[F32, F64, F64, str]] = []
    for face in real_faces(data, model, anatomy, None, part):
        rows += _both(face, rng)
    return EyeSet.of(rows)


def lens_outputs(eyes: OpenEyes, london: LondonSet, people: Sequence[str]) -> F64:
    """Gaze (n, 2) that the network sees in each eye of people who look into the lens, as the product fits them."""
    model, found = load_landmarks("open"), []
    fitter, detector = CLNF(model), MTCNN()
    for person in people:
        for smiling in (False, True):
            image = london.image(person, smiling)
            seen = detector.detect(image)
            if not seen:
                continue
            fit = fitter.fit(image, max(seen, key=lambda d: d.score).box)
            camera = Camera.for_size(image.shape[1], image.shape[0])
            pose = head_pose(model, fit.params_global, fit.params_local, fit.landmarks, camera)
            head = seen_along(fit.landmarks, camera, pose)
            frames = eye_frames(fit.landmarks, float(fit.params_global[0]), head)
            out = eyes.outputs(sample_windows(image, frames), head_inputs(head, frames.roll))
            found += out[:, :2].astype(np.float64).tolist()
    return np.array(found)


def _both(face: RealFace, rng: np.random.Generator) -> list[tuple[F32, F64, F64, str]]:
    roll = float(np.arctan2(face.head[1, 0], face.head[0, 0]))
    x, y = in_window(-face.head[:, 2], roll)
    rows = []
    for side, (a, b) in enumerate(CORNERS):
        mirrored = side == 0
        centre = (face.points[a] + face.points[b]) / 2 + rng.normal(0, PLACE_NOISE_MM, 2) * face.scale
        window, at, axes = window_of(
            face.image,
            centre,
            face.scale * float(np.exp(rng.normal(0, SIZE_NOISE))),
            roll + rng.normal(0, ROLL_NOISE),
            mirrored,
        )
        placed = face.seen[side][MIRROR] if mirrored else face.seen[side]
        opening = float(np.linalg.norm(face.seen[side][11] - face.seen[side][17])) / face.scale
        target = target_of(placed, at, axes, None, opening, 1.0)
        target[-1] = np.nan  # whether the gaze can be seen is not known
        view = np.array([-x if mirrored else x, y]) + rng.normal(0, HEAD_NOISE / 2, 2)
        rows.append((window, view, target, face.source))
    return rows


def in_window(direction: F64, roll: float) -> F64:
    """Turn a direction's x and y by the roll of a window that is not mirrored."""
    cos, sin = np.cos(roll), np.sin(roll)
    x, y = direction[:2]
    return np.array([cos * x + sin * y, -sin * x + cos * y])
