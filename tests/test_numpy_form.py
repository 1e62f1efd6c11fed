"""The NumPy form of the kernels: when it runs, who is told, and what it computes."""

from __future__ import annotations

import os
import subprocess
import sys
import zipfile
from pathlib import Path

import numpy as np
import pytest

from pyclnf import _core, _core_numpy
from pyfaceau.alignment import face_mask_numpy
from pyfaceau.features.running_median import RunningMedian
from pyfaceau.features.running_median_numpy import RunningMedian as RunningMedianNumPy
from pyfaceau.prediction import linear, linear_numpy

REPOSITORY = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(REPOSITORY / "tests/parity"))
from numpy_form import INTENSITIES, LANDMARKS, differences  # noqa: E402

VARIABLE = "PYFACEAU_INSTRUCTION_SET"
COMPILED = (
    "pyfhog._core",
    "pymtcnn._core",
    "pyclnf._core",
    "pyfaceau.prediction.linear",
    "pyfaceau.features.running_median",
    "pyfaceau.alignment.face_mask",
)
NAME_THEM = "import pyfaceau.engine; from pyfaceau.provenance import instruction_sets; "
NAME_THEM += "print(*instruction_sets().values())"


def run(code: str, *options: str, **environment: str) -> subprocess.CompletedProcess[str]:
    inherited = {name: value for name, value in os.environ.items() if name != VARIABLE}
    return subprocess.run(
        [sys.executable, *options, "-c", code],
        capture_output=True,
        text=True,
        check=False,
        cwd="/",
        env=inherited | environment,
    )


def hidden(*names: str) -> str:
    return f"import sys; sys.modules.update(dict.fromkeys({names!r})); "


def test_numpy_runs_in_every_package_if_it_is_asked_for_and_nobody_is_warned():
    result = run(NAME_THEM, "-W", "error", **{VARIABLE: "numpy"})
    assert result.stdout == "numpy numpy numpy numpy\n", result.stderr


def test_without_compiled_modules_numpy_runs_and_each_library_says_so_once():
    result = run(hidden(*COMPILED) + NAME_THEM)
    assert result.stdout == "numpy numpy numpy numpy\n", result.stderr
    told = [line for line in result.stderr.splitlines() if "SlowKernelsWarning" in line]
    assert len(told) == 2, result.stderr  # pymtcnn tells when a detector is made
    assert {
        name for name in ("pyclnf", "pyfhog") if any(f"Warning: {name} was" in line for line in told)
    } == {
        "pyclnf",
        "pyfhog",
    }


def test_pyfaceau_speaks_for_itself_where_only_it_was_not_compiled():
    result = run(hidden(*COMPILED[3:]) + NAME_THEM)
    assert result.stdout.split()[-1] == "numpy"
    assert result.stderr.count("SlowKernelsWarning") == 1
    assert "pyfaceau was installed without its compiled parts" in result.stderr


@pytest.mark.parametrize("package", ["pyclnf", "pymtcnn"])
def test_an_instruction_set_cannot_be_asked_for_where_nothing_was_compiled(package):
    result = run(hidden(f"{package}._core") + f"import {package}", **{VARIABLE: "avx2"})
    assert result.returncode == 1
    assert f"ImportError: {VARIABLE}=avx2: {package} was installed without compiled" in result.stderr


def test_a_video_has_the_compiled_numbers_within_what_builds_differ_by():
    landmarks, intensities = differences(6)
    assert 0 < landmarks.mean() <= LANDMARKS
    assert intensities.mean() <= INTENSITIES


@pytest.mark.parametrize("columns", [1, 15, 16, 17, 100, 4702])
def test_products_have_the_compiled_bits(columns):
    rng = np.random.default_rng(columns)
    matrix, vector = rng.standard_normal((5, columns)), rng.standard_normal(columns)
    found, expected = np.empty(5), np.empty(5)
    linear_numpy.multiply(matrix, vector, found)
    linear.multiply(matrix, vector, expected)
    np.testing.assert_array_equal(found, expected)


@pytest.mark.parametrize(("columns", "rows"), [(0, 3), (4, 2)])
def test_products_of_sizes_that_do_not_fit_are_refused(columns, rows):
    with pytest.raises(ValueError, match=r"empty|does not fit"):
        linear_numpy.multiply(np.zeros((3, columns)), np.zeros(columns), np.zeros(rows))


def test_medians_go_on_from_each_others_state():
    rng = np.random.default_rng(3)
    first, second = RunningMedian(4, 50, -1, 1), RunningMedianNumPy(4, 50, -1, 1)
    for _ in range(9):
        values = rng.uniform(-1.2, 1.2, 4)
        first.update(values)
        second.update(values)
        there, back = RunningMedianNumPy(4, 50, -1, 1), RunningMedian(4, 50, -1, 1)
        there.restore(first.state())
        back.restore(second.state())
        values = rng.uniform(-1.2, 1.2, 4)
        for median in (first, second, there, back):
            median.update(values)
        for other in (second, there, back):
            np.testing.assert_array_equal(other.median, first.median)


def test_medians_refuse_a_state_of_another_size():
    state = RunningMedianNumPy(4, 50, -1, 1).state()
    with pytest.raises(ValueError, match="expected int32"):
        RunningMedianNumPy(4, 60, -1, 1).restore(state)


def test_pixels_outside_the_mask_are_black():
    image, mask = np.full((3, 2, 3), 9, np.uint8), np.array([[0, 1], [1, 0], [1, 1]], np.uint8)
    face_mask_numpy.black_out(image, mask)
    np.testing.assert_array_equal(image[..., 1], 9 * mask)


@pytest.mark.parametrize("padding", [1, 2, 5])
def test_fhog_has_dlibs_padding(padding):
    code = (
        "import numpy as np, pyfhog; image = np.random.default_rng(1).integers(0, 256, (64, 48, 3), np.uint8); "
        f"print(*pyfhog.extract_fhog(image, 8, {padding}, 1).astype(float).ravel())"
    )
    compiled, plain = (
        np.array(run(code, **{VARIABLE: name}).stdout.split(), float) for name in ("", "numpy")
    )
    assert compiled.size
    np.testing.assert_allclose(plain, compiled, atol=1e-5)


def test_a_switch_builds_wheels_for_every_machine_which_work(tmp_path):
    pytest.importorskip("scikit_build_core", reason="needs scikit-build-core to make a wheel")
    make = "import sys; from scikit_build_core.build import build_wheel; print(build_wheel(sys.argv[1]))"
    for package in ("pyfhog", "pymtcnn", "pyclnf", "pyfaceau"):
        subprocess.run(
            [sys.executable, "-c", make, str(tmp_path)],
            cwd=REPOSITORY / package,
            check=True,
            env={**os.environ, "PYFACEAU_PURE": "1", "PATH": ""},  # neither CMake nor a compiler
        )
        (wheel,) = tmp_path.glob(f"{package}-*.whl")
        assert wheel.name.endswith("-py3-none-any.whl")
        with zipfile.ZipFile(wheel) as archive:
            assert not [name for name in archive.namelist() if name.endswith((".so", ".pyd", ".pyx", ".cpp"))]
            archive.extractall(tmp_path / "installed")
    # Without `site`, so that an editable installation of the clone does not answer to the names.
    path = os.pathsep.join(
        [str(tmp_path / "installed"), *(entry for entry in sys.path if "site-packages" in entry)]
    )
    where = "import pyclnf, pyfhog; print(pyclnf.__file__); print(pyfhog.extract_fhog.__module__); "
    result = run(where + NAME_THEM, "-S", PYTHONPATH=path)
    assert result.stdout.splitlines()[-1:] == ["numpy numpy numpy numpy"], result.stderr
    assert str(tmp_path) in result.stdout.splitlines()[0]
    assert result.stderr.count("SlowKernelsWarning") == 2  # of pyclnf and pyfhog


@pytest.mark.parametrize(
    "matrix", [[[0.9, 0.1, -3], [-0.1, 1.1, 2]], [[1e300, 0, 0], [0, 1, 0]], [[np.nan, 0, 0], [0, 1, 0]]]
)
def test_grey_images_and_warps_have_the_compiled_bits(matrix):
    frame = np.random.default_rng(0).integers(0, 256, (37, 41, 3), np.uint8)
    np.testing.assert_array_equal(_core_numpy.to_grey(frame), _core.to_grey(frame))
    arguments = (frame, np.array(matrix, float), 50, 44)
    np.testing.assert_array_equal(_core_numpy.warp_inverse_u8(*arguments), _core.warp_inverse_u8(*arguments))
