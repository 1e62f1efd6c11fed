"""Old place of :mod:`pyclnf.pose`; goes away in version 3."""

from ..pose import Camera, head_pose, landmarks_3d

__all__ = ["Camera", "head_pose", "landmarks_3d"]
