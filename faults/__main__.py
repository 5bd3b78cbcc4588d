"""``make faults``: each fault as a small table of cases, states, broken states and the figure to reach.

Each module of this folder is a part: it gives its table from ``rows()``, and the first line of its docstring says what
it proves. Give names to run only those: ``make faults ARGS="power swap"``. The status is 1 when a promise is broken, a
control is not caught or a part could not be done; the others are run all the same. Those that mount file systems need
root on Linux; they do so in a mount namespace of their own, so that nothing stays mounted, whatever happens.
"""

import importlib
import os
import platform
import shutil
import sys
import time
import traceback
from datetime import UTC, datetime
from pathlib import Path

from faults._table import NotPossibleHere, Row, print_table

_INSIDE = "LANCERT_FAULTS_INSIDE"  # set in the process that runs in its own mount namespace


def main(arguments: list[str]) -> int:
    known = sorted(path.stem for path in Path(__file__).parent.glob("*.py") if not path.stem.startswith("_"))
    unknown = [name for name in arguments if name not in known]
    if unknown:
        print(f"there is no fault called {', '.join(unknown)}; there are {', '.join(known)}", file=sys.stderr)
        return 2
    _enter_a_mount_namespace()
    print(f"{datetime.now(UTC):%Y-%m-%d}, {platform.system()} {platform.release()}, Python {platform.python_version()}")
    not_kept = [name for name in known if name in (arguments or known) and not _is_kept(name)]
    print(f"\nnot kept: {', '.join(not_kept)}" if not_kept else "\nevery promise was kept")
    return int(bool(not_kept))


def _is_kept(name: str) -> bool:
    began = time.monotonic()
    try:
        module = importlib.import_module(f"faults.{name}")
        rows: list[Row] = module.rows()
    except NotPossibleHere as error:
        print(f"\n{name}: NOT DONE, {error}", flush=True)
        return False
    except Exception:
        print(f"\n{name}: NOT DONE", flush=True)
        traceback.print_exc(file=sys.stdout)
        return False
    print(f"\n{name}, {time.monotonic() - began:.0f} s: {(module.__doc__ or '').splitlines()[0]}")
    print_table(rows)
    return all(row.is_kept for row in rows)


def _enter_a_mount_namespace() -> None:
    unshare = shutil.which("unshare")
    if unshare is not None and os.geteuid() == 0 and _INSIDE not in os.environ:
        command = [unshare, "--mount", "--propagation", "private", sys.executable, "-m", "faults", *sys.argv[1:]]
        os.execve(unshare, command, {**os.environ, _INSIDE: "1"})


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
