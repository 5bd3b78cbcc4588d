"""F-04, F-05, F-07: each call of an installation fails in turn, as on a sick, a full and a read-only disk.

A refusal must be a refusal: the old pair is still what is served, in this process and after a start, nothing of the
new generation is left to be taken for a good one, and the next try installs under a new name. What is not refused
must be served, in this process and after a start.
"""

import shutil
import tempfile
from collections import Counter
from pathlib import Path

from faults._disk import tool
from faults._injecting import install_failing, points
from faults._table import Row
from faults._writers import OURS, lay_out_ours, reaches_new

ERRORS = {
    "F-04 EIO": ("EIO", {"fsync", "write", "rename", "openat"}),
    "F-05 ENOSPC": ("ENOSPC", {"openat", "write", "fsync", "rename"}),
    "F-05 EDQUOT": ("EDQUOT", {"openat", "write"}),
    "F-07 EROFS": ("EROFS", {"openat", "fchmod", "rename", "unlink", "fsync"}),
}


def rows() -> list[Row]:
    found = []
    for case, (error, calls) in ERRORS.items():
        with tempfile.TemporaryDirectory() as made:
            verdicts = verdicts_of(Path(made), error, calls)
        kinds = Counter(verdict.partition(" at ")[0] for verdict in verdicts)
        found.append(
            Row(
                case=f"{case} at each {', '.join(sorted(calls))}",
                states=len(verdicts),
                at_least=10,
                broken=sum(count for kind, count in kinds.items() if kind.startswith("broken")),
                found=", ".join(f"{kind} {count}" for kind, count in sorted(kinds.items())),
            )
        )
    return found


def verdicts_of(place: Path, error: str, calls: set[str]) -> list[str]:
    """Make each of these calls of an installation fail in turn; say what came of each."""
    template, folder, new = place / "template", place / "folder", place / "new"
    judge = lay_out_ours(template, new)
    arguments, notes = [str(folder), str(new)], place / "notes"
    verdicts = []
    shutil.copytree(template, folder)
    for point in list(points(tool("strace"), OURS.script, arguments, calls, notes)):
        shutil.rmtree(folder)
        shutil.copytree(template, folder)
        ended = install_failing(tool("strace"), OURS.script, arguments, point, error, notes)
        generations = sorted(path.name for path in folder.glob("generation-*"))
        after = judge(folder)
        wanted = ("old", "generation-000001.pem") if ended.errno else ("new", "generation-000002.pem")
        if (after, ended.served) != wanted:
            verdict = f"broken: refused {ended.errno}, serves {ended.served}, after a start {after}"
        elif ended.errno and len(generations) > 1:
            verdict = "broken: a generation that was not synced is left"
        elif not reaches_new(folder, new):
            verdict = "broken: the next try does not reach the new one"
        else:
            verdict = "refused, old served" if ended.errno else "installed all the same"
        verdicts.append(f"{verdict} at {point[0]} {point[1]}")
    return verdicts
