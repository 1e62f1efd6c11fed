"""Sessions for development: `nox -s tests`, `nox -s parity`, `nox -s lint`, `nox -s alone`."""

import nox

nox.options.default_venv_backend = "venv"
nox.options.sessions = ["lint", "tests"]

# Always together and from this clone: older packages of the same names exist on the public index.
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


def _other_sets(session):
    """Instruction sets that this machine runs beside the one that is used by itself."""
    code = "import pyclnf; print(*pyclnf.available_instruction_sets()); print(pyclnf.instruction_set())"
    known, used = session.run("python", "-c", code, silent=True).splitlines()[-2:]
    return [name for name in known.split() if name != used]


@nox.session
def tests(session):
    """Run every test, and the numeric ones with each instruction set; without ../shared some are skipped."""
    session.install(*PACKAGES, *BUILD)  # with what a test needs to build source distributions
    # One run a folder: the packages' tests do not see each other's helper modules.
    for folder in session.posargs or TESTS:
        session.run("pytest", "-c", "pyproject.toml", "--rootdir", ".", folder)
    if not session.posargs:  # run as a module, so that `weights` and `benchmarks` can be imported
        session.run("python", "-m", "pytest", "-c", "pyproject.toml", "--rootdir", ".", "weights/tests")
        for name in _other_sets(session):
            for files in PER_SET:
                session.run("pytest", "-c", "pyproject.toml", "--rootdir", ".", *files, env={VARIABLE: name})


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


@nox.session
def lint(session):
    """Check style and types."""
    session.install("ruff>=0.12", "mypy>=1.16", "pandas-stubs", *PACKAGES)
    session.run("ruff", "check", ".")
    session.run("ruff", "format", "--check", ".")
    session.run("mypy", *TYPED)


@nox.session
@nox.parametrize("package", ["pyfhog", "pymtcnn", "pyclnf"])
def alone(session, package):
    """Install one package without the others, and use it."""
    session.install(f"./{package}")
    session.run("python", "tests/use_alone.py", package)
