"""F-02: the power is cut at every system call of an installation, on ext4, at once and 1.5 s later.

The disk is a file: what has been written to it is what a power cut would leave, what ext4 still holds in memory
is lost. The process is killed at each call, the file is copied as it is then and again 1.5 s later (the commits of
the journal happen in between), each copy is mounted, the store starts from it, and the next try must reach the new
certificate. A disk that answers a flush without having written is beyond this proof.
"""

import shutil
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

from tests.peers.killing import kill_everywhere

from faults._disk import mounted, new_ext4, photograph, tool
from faults._table import Row
from faults._writers import FOUR_LINKS, NAIVE, OURS, Writer, reaches_new

MODES = {"ordered": "loop,data=ordered", "writeback": "loop,data=writeback,noauto_da_alloc,commit=1"}
LATER = 1.5
AT_LEAST = 44  # states of one mode; 88 in all


@dataclass(slots=True, kw_only=True)
class Cut:
    """Kills one writer on one kind of ext4, and keeps what each copy of the disk showed."""

    writer: Writer
    options: str
    place: Path
    verdicts: list[str] = field(default_factory=list)
    failure: BaseException | None = None
    forgets: bool = False
    _judge: Callable[[Path], str] = field(default=lambda path: "", init=False)
    _mount: ExitStack = field(default_factory=ExitStack, init=False)

    def run(self) -> None:
        """Cut the power everywhere; an exception is kept for the thread that waits."""
        try:
            self.place.mkdir()
            new_ext4(self.place / "base.img")
            with mounted(self.place / "base.img", self.place / "laid", "loop") as laid:
                self._judge = self.writer.lay_out(laid / "box", self.place / "new")
            with self._mount:
                kill_everywhere(
                    tool("strace"), self.writer.script, prepare=self._prepare, judge=self._look, notes=self.place / "n"
                )
                self._cut_after_the_end()
        except BaseException as error:
            self.failure = error

    def _prepare(self) -> Sequence[str]:
        self._mount.close()
        shutil.copyfile(self.place / "base.img", self.place / "disk.img")
        self._mount.enter_context(mounted(self.place / "disk.img", self.place / "disk", self.options))
        return [str(self.place / "disk" / "box"), str(self.place / "new")]

    def _look(self) -> str:
        killed = time.monotonic()
        photograph(self.place / "disk.img", self.place / "at-once.img")
        time.sleep(max(0.0, LATER - (time.monotonic() - killed)))
        photograph(self.place / "disk.img", self.place / "later.img")
        both = [self._after_the_cut(self.place / name) for name in ("at-once.img", "later.img")]
        self.verdicts += both
        return " then ".join(both)

    def _cut_after_the_end(self) -> None:
        """Cut the power when the installation has just said that it is done: lancert's must be there then."""
        command = [sys.executable, "-B", "-c", self.writer.script, *self._prepare()]
        subprocess.run(command, check=True, capture_output=True, timeout=60)
        photograph(self.place / "disk.img", self.place / "at-once.img")
        verdict = self._after_the_cut(self.place / "at-once.img")
        self.forgets = verdict == "old"
        self.verdicts.append("broken: said to be done and is not there" if self.forgets else verdict)

    def _after_the_cut(self, image: Path) -> str:
        with mounted(image, self.place / "after", self.options) as after:
            try:
                verdict = self._judge(after / "box")
            except OSError as error:
                return f"broken: {type(error).__name__}"
            if (
                self.writer is OURS
                and not verdict.startswith("broken")
                and not reaches_new(after / "box", self.place / "new")
            ):
                return f"broken: {verdict}, and the next try does not reach the new one"
        return verdict


def rows() -> list[Row]:
    with tempfile.TemporaryDirectory() as made:
        cuts = {
            (writer.name, mode): Cut(writer=writer, options=options, place=Path(made) / f"{number}-{mode}")
            for number, writer in enumerate((OURS, NAIVE, FOUR_LINKS))
            for mode, options in MODES.items()
        }
        for writer in (OURS, NAIVE, FOUR_LINKS):
            threads = [threading.Thread(target=cuts[writer.name, mode].run) for mode in MODES]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
        for cut in cuts.values():
            if cut.failure is not None:
                raise cut.failure
    return [_row(cut, f"{name}, {mode}") for (name, mode), cut in cuts.items()]


def _row(cut: Cut, case: str) -> Row:
    kinds = Counter(verdict.partition(":")[0] for verdict in cut.verdicts)
    return Row(
        case=case,
        states=len(cut.verdicts),
        broken=kinds["broken"],
        at_least=AT_LEAST if cut.writer is OURS else 1,
        is_control=cut.writer is NAIVE and cut.options == MODES["writeback"],
        is_compared=cut.writer is FOUR_LINKS or (cut.writer is NAIVE and cut.options != MODES["writeback"]),
        found=", ".join(f"{kind} {count}" for kind, count in sorted(kinds.items()))
        + (", one of the broken: said to be done and was not on the disk" if cut.forgets else ""),
    )
