"""One coverage-guided run with Atheris; `__main__` starts it as a process of its own, as a crash would end it."""

from __future__ import annotations

import gc
import hashlib
import resource
import shutil
import sys
import traceback
import warnings
import zipfile
from pathlib import Path
from types import FunctionType

import atheris

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE.parent))

from fuzz.parsers import OWN_ERRORS, PARSERS  # noqa: E402

# What parses for us guides as well.
_GUIDING = ("pyclnf", "pymtcnn", "pyfaceau", "zipfile", "json", "csv", "gzip", "numpy.lib._format_impl")
_MEMORY = 1 << 30  # bytes beyond what the process has when it starts


def main() -> None:
    """`guided.py PARSER FINDINGS [libFuzzer's arguments]`."""
    name, findings, *arguments = sys.argv[1:]
    parser = PARSERS[name]
    # In memory, so that a disk does not limit the speed.
    shm = Path("/dev/shm")
    root = Path(shm if shm.is_dir() else findings) / f"fuzz-{name}"
    shutil.rmtree(root, ignore_errors=True)
    root.mkdir()
    folder = parser.folder(root)
    # Not `instrument_imports`, which is of no effect where a package is installed in editable form.
    for function in [thing for thing in gc.get_objects() if isinstance(thing, FunctionType)]:
        if str(function.__module__).startswith(_GUIDING):
            atheris.instrument_func(function)
    seen: set[str] = set()
    # Checksums would refuse nearly all that is changed; an attacker's are right.
    zipfile.ZipExtFile._update_crc = lambda self, data: None  # type: ignore[attr-defined]
    warnings.simplefilter("error", RuntimeWarning)

    def test(data: bytes) -> None:
        path = parser.place(folder, data)
        try:
            parser.read(path)
        except OWN_ERRORS:
            pass
        except Exception as error:
            frame = traceback.extract_tb(error.__traceback__)[-1]
            key = f"{type(error).__name__} {Path(frame.filename).name}:{frame.lineno}"
            if key not in seen:
                seen.add(key)
                where = Path(findings) / f"{hashlib.sha256(key.encode()).hexdigest()[:12]}"
                where.write_bytes(data)
                where.with_suffix(".txt").write_text(f"{key}\n\n{traceback.format_exc()}")

    pages = int(Path("/proc/self/statm").read_text().split()[0]) if Path("/proc").is_dir() else 0
    if pages:
        limit = pages * resource.getpagesize() + _MEMORY
        resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
    atheris.Setup([sys.argv[0], *arguments], test)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
