"""``make bench``: every figure, beside what the machine itself needs for the cryptography.

Each module of this folder prints one small table from ``main()``. Give names to run only those:
``make bench ARGS="dns box"``.
"""

import importlib
import os
import platform
import sys
from importlib import metadata
from pathlib import Path

FIRST = "floor"  # the others are read beside it


def main(arguments: list[str]) -> int:
    known = sorted(path.stem for path in Path(__file__).parent.glob("*.py") if not path.stem.startswith("_"))
    unknown = [name for name in arguments if name not in known]
    if unknown:
        print(f"there is no figure called {', '.join(unknown)}; there are {', '.join(known)}", file=sys.stderr)
        return 2
    print(f"{processor()}, {os.cpu_count()} cores, {platform.system()} {platform.release()}")
    print(f"Python {platform.python_version()}, cryptography {metadata.version('cryptography')}\n")
    chosen = [name for name in known if name in (arguments or known) and name != FIRST]
    for name in [FIRST, *chosen]:
        importlib.import_module(f"bench.{name}").main()
        print(flush=True)
    return 0


def processor() -> str:
    """Name the processor as the system does."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        lines = []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor() or platform.machine()


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
