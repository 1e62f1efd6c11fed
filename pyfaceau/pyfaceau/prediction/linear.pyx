# cython: boundscheck=False, wraparound=False, cdivision=True, initializedcheck=False
"""Matrix times vector in a fixed order of additions: compiled form of `pyfaceau.prediction.linear_numpy`.

NumPy's product would be as fast, but its last bits depend on the BLAS library and its number of threads, and those
threads would compete with the landmark stage of the next frame.
"""

cdef enum:
    LANES = 16


def multiply(const double[:, ::1] matrix, const double[::1] vector, double[::1] out):
    """Compute ``out = matrix @ vector``.

    Parameters
    ----------
    matrix : memoryview of shape (rows, columns), float64
    vector : memoryview of shape (columns,), float64
    out : memoryview of shape (rows,), float64
        Written.
    """
    cdef Py_ssize_t row
    if matrix.shape[1] != vector.shape[0] or matrix.shape[0] != out.shape[0]:
        raise ValueError(
            f"matrix ({matrix.shape[0]}, {matrix.shape[1]}) does not fit a vector of {vector.shape[0]} values and "
            f"an output of {out.shape[0]}"
        )
    if vector.shape[0] == 0:
        raise ValueError("the vector is empty")
    with nogil:
        for row in range(matrix.shape[0]):
            out[row] = _dot(&matrix[row, 0], &vector[0], vector.shape[0])


cdef double _dot(const double* a, const double* b, Py_ssize_t n) noexcept nogil:
    """Scalar product with independent partial sums, which compilers turn into vector instructions."""
    cdef double sums[LANES]
    cdef Py_ssize_t block, lane
    cdef double total = 0
    for lane in range(LANES):
        sums[lane] = 0
    for block in range(n // LANES):
        for lane in range(LANES):
            sums[lane] += a[lane] * b[lane]
        a += LANES
        b += LANES
    for lane in range(LANES):
        total += sums[lane]
    for lane in range(n % LANES):
        total += a[lane] * b[lane]
    return total
