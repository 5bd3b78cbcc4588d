"""F-01: a process is killed at every system call of an installation; old or new is there, and the next try is new."""

import shutil
import tempfile
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from tests.peers.killing import kill_everywhere

from faults._disk import tool
from faults._table import Row
from faults._writers import FOUR_LINKS, NAIVE, OURS, Writer, reaches_new


def rows() -> list[Row]:
    with tempfile.TemporaryDirectory() as made:
        return [_row(writer, Path(made) / str(number)) for number, writer in enumerate((OURS, NAIVE, FOUR_LINKS))]


def _row(writer: Writer, place: Path) -> Row:
    template, folder, new = place / "template", place / "folder", place / "new"
    template.parent.mkdir()
    judged = writer.lay_out(template, new)

    def prepare() -> Sequence[str]:
        shutil.rmtree(folder, ignore_errors=True)
        shutil.copytree(template, folder, symlinks=True)
        return [str(folder), str(new)]

    def judge() -> str:
        verdict = judged(folder)
        if writer is OURS and not verdict.startswith("broken") and not reaches_new(folder, new):
            return f"broken: {verdict}, and the next try does not reach the new one"
        return verdict

    killed = kill_everywhere(tool("strace"), writer.script, prepare=prepare, judge=judge, notes=place / "notes")
    kinds = Counter(one.verdict.partition(":")[0] for one in killed)
    return Row(
        case=writer.name,
        states=len(killed),
        broken=kinds["broken"],
        at_least=20 if writer is OURS else 1,
        is_control=writer is NAIVE,
        is_compared=writer is FOUR_LINKS,
        found=", ".join(f"{kind} {count}" for kind, count in sorted(kinds.items())),
    )
