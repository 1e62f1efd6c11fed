# cython: boundscheck=False, wraparound=False, cdivision=True, initializedcheck=False
"""Rasterises the triangles of a face: compiled form of `pyfaceau.alignment.face_mask_numpy`."""

from libc.math cimport ceilf, floorf
from libc.string cimport memset


def rasterise(const float[:, ::1] points, const int[:, ::1] triangles, unsigned char[:, ::1] mask):
    """Set `mask` to 1 at every whole-numbered point inside or on a triangle, to 0 elsewhere.

    Parameters
    ----------
    points : memoryview of shape (n, 2), float32
        Corners in pixels, x and y.
    triangles : memoryview of shape (t, 3), int32
        Indices into `points`.
    mask : memoryview of shape (h, w), uint8
        Written.
    """
    cdef Py_ssize_t t, k
    if points.shape[1] != 2 or triangles.shape[1] != 3:
        raise ValueError("points must be (n, 2) and triangles (t, 3)")
    for t in range(triangles.shape[0]):
        for k in range(3):
            if not 0 <= triangles[t, k] < points.shape[0]:
                raise ValueError(f"triangle {t} names point {triangles[t, k]} of {points.shape[0]}")
    if mask.shape[0] == 0 or mask.shape[1] == 0:
        return
    with nogil:
        memset(&mask[0, 0], 0, mask.shape[0] * mask.shape[1])
        for t in range(triangles.shape[0]):
            _fill_triangle(
                &points[triangles[t, 0], 0], &points[triangles[t, 1], 0], &points[triangles[t, 2], 0], mask
            )


def black_out(unsigned char[:, :, ::1] image, const unsigned char[:, ::1] mask):
    """Set the pixels of `image` to 0 where `mask` is 0.

    Parameters
    ----------
    image : memoryview of shape (h, w, channels), uint8
        Changed in place.
    mask : memoryview of shape (h, w), uint8
        0 or 1.
    """
    cdef Py_ssize_t row, column, channel
    if image.shape[0] != mask.shape[0] or image.shape[1] != mask.shape[1]:
        raise ValueError("image and mask must have the same size")
    with nogil:
        for row in range(image.shape[0]):
            for column in range(image.shape[1]):
                for channel in range(image.shape[2]):
                    image[row, column, channel] *= mask[row, column]


cdef void _fill_triangle(
    const float* a, const float* b, const float* c, unsigned char[:, ::1] mask
) noexcept nogil:
    """Mark the points inside one triangle; comparisons with NaN are false, so such a triangle marks nothing."""
    cdef float left = min(a[0], b[0], c[0]), right = max(a[0], b[0], c[0])
    cdef float top = min(a[1], b[1], c[1]), bottom = max(a[1], b[1], c[1])
    cdef int width = <int>mask.shape[1], height = <int>mask.shape[0]
    if not (left <= width - 1 and right >= 0 and top <= height - 1 and bottom >= 0):
        return
    cdef int first_column = <int>ceilf(max(left, 0)), last_column = <int>floorf(min(right, width - 1))
    cdef int first_row = <int>ceilf(max(top, 0)), last_row = <int>floorf(min(bottom, height - 1))

    # A point is inside if, seen from each edge, it lies on the side of the opposite corner (or on the edge).
    cdef float ab_x = b[0] - a[0], ab_y = b[1] - a[1]
    cdef float bc_x = c[0] - b[0], bc_y = c[1] - b[1]
    cdef float ac_x = c[0] - a[0], ac_y = c[1] - a[1]
    cdef float side_c = ab_x * (c[1] - a[1]) - (c[0] - a[0]) * ab_y
    cdef float side_a = bc_x * (a[1] - b[1]) - (a[0] - b[0]) * bc_y
    cdef float side_b = ac_x * (b[1] - a[1]) - (b[0] - a[0]) * ac_y
    cdef float row_ab, row_bc, row_ac, x, ax = a[0], bx = b[0]
    cdef int row, column
    cdef unsigned char* line
    for row in range(first_row, last_row + 1):
        line = &mask[row, 0]
        row_ab = ab_x * (<float>row - a[1])
        row_bc = bc_x * (<float>row - b[1])
        row_ac = ac_x * (<float>row - a[1])
        for column in range(first_column, last_column + 1):
            x = <float>column
            line[column] |= (
                ((row_ab - (x - ax) * ab_y) * side_c >= 0)
                & ((row_bc - (x - bx) * bc_y) * side_a >= 0)
                & ((row_ac - (x - ax) * ac_y) * side_b >= 0)
            )
