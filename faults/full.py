"""F-05, F-06: the disk has 64 KiB and less and less of it free, then fewer and fewer files may be made on it."""

import tempfile
from collections import Counter
from collections.abc import Callable
from pathlib import Path

from faults._disk import mounted
from faults._injecting import install
from faults._table import Row
from faults._writers import OURS, lay_out_ours, reaches_new

PAGE = 4096


def rows() -> list[Row]:
    with tempfile.TemporaryDirectory() as made:
        place = Path(made)
        space = [_with_space(place / f"space-{free}", free) for free in range(14)]
        files = [_with_files(place / f"files-{free}", free) for free in range(8)]
    return [_row("F-05 tmpfs of 64 KiB, 0 to 13 pages free", space), _row("F-06 0 to 7 files may be made", files)]


def _row(case: str, verdicts: list[str]) -> Row:
    kinds = Counter(verdicts)
    broken = sum(count for kind, count in kinds.items() if kind.startswith("broken"))
    # Both outcomes must occur, or the disk was never full (or never anything else).
    both = {"refused, old served, new after space", "installed"} <= kinds.keys()
    found = ", ".join(f"{kind} {count}" for kind, count in sorted(kinds.items()))
    return Row(case=case, states=len(verdicts), broken=broken + (not both), at_least=8, found=found)


def _with_space(place: Path, free: int) -> str:
    with mounted("tmpfs", place / "disk", "size=64k", "tmpfs") as disk:
        judge = lay_out_ours(disk / "box", place / "new")
        pages = 0
        with (disk / "filler").open("wb", buffering=0) as filler:
            try:
                while pages < 16:
                    filler.write(bytes(PAGE))
                    pages += 1
            except OSError:
                pass
            filler.truncate(max(0, pages - free) * PAGE)
        return _tried(disk, place, judge_after=judge, relief=[disk / "filler"])


def _with_files(place: Path, free: int) -> str:
    with mounted("tmpfs", place / "disk", "size=1m,nr_inodes=24", "tmpfs") as disk:
        judge = lay_out_ours(disk / "box", place / "new")
        fillers: list[Path] = []
        while True:
            filler = disk / f"filler-{len(fillers)}"
            try:
                filler.touch()
            except OSError:
                break
            fillers.append(filler)
        for _ in range(free):
            fillers.pop().unlink()
        return _tried(disk, place, judge_after=judge, relief=fillers)


def _tried(disk: Path, place: Path, *, judge_after: Callable[[Path], str], relief: list[Path]) -> str:
    ended = install(OURS.script, [str(disk / "box"), str(place / "new")])
    generations = list((disk / "box").glob("generation-*"))
    after = judge_after(disk / "box")
    if after != ("old" if ended.errno else "new"):
        return f"broken: refused {ended.errno}, after a start {after}"
    if ended.errno and len(generations) != 1:
        return "broken: a generation that was refused is left"
    for filler in relief:
        filler.unlink()
    if not reaches_new(disk / "box", place / "new"):
        return "broken: not new after space was made"
    return "refused, old served, new after space" if ended.errno else "installed"
