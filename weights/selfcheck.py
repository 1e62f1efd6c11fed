"""Write the stored values of `pyfaceau.selfcheck`: `python -m weights.selfcheck [OPENFACE_MODELS]`.

Run it after the open models have changed. OPENFACE_MODELS is a folder with OpenFace's files in any layout that
pyfaceau knows; without it, the values of OpenFace's models stay as they are. Only measured numbers are stored.
"""

from __future__ import annotations

import json
import sys

from pyclnf.io import atomic_write
from pyfaceau.selfcheck import EXPECTED, measure, measure_clip


def main() -> None:
    """Measure and write."""
    if len(sys.argv) > 2:
        sys.exit("usage: python -m weights.selfcheck [OPENFACE_MODELS]")
    values = json.loads(EXPECTED.read_text(encoding="utf-8")) if EXPECTED.exists() else {}
    sets = {"open": ("open", "ceclm")} | (
        {"openface-clnf": (sys.argv[1], "clnf")} if len(sys.argv) == 2 else {}
    )
    for key, (models, landmarks) in sets.items():
        values[key] = measure(models, landmarks)
        values[f"{key}-clip"] = measure_clip(models, landmarks)
    if None in values.values():
        sys.exit("no face was found in the portrait or in the clip; nothing is written")
    with atomic_write(EXPECTED, "w", encoding="utf-8", newline="\n") as stream:
        stream.write(json.dumps(values, indent=None, separators=(", ", ": ")).replace('}, "', '},\n"') + "\n")


if __name__ == "__main__":
    main()
