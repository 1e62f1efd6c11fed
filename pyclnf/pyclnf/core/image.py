"""Old place of :mod:`pyclnf.image`; goes away in version 3."""

from ..image import to_grey, to_uint8, warp_affine_u8

__all__ = ["to_grey", "to_uint8", "warp_affine_u8"]
