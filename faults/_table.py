"""One row of a proof, and how rows are printed."""

from collections.abc import Sequence
from dataclasses import dataclass


class NotPossibleHere(Exception):
    """This machine lacks what the proof needs; the text says what."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One case: how many states were looked at, how many were broken, and what was to be reached.

    A control is a way of storing that is known to be wrong: its row is kept when it was caught.
    """

    case: str
    states: int
    broken: int
    at_least: int = 1
    is_control: bool = False
    is_compared: bool = False
    found: str = ""

    @property
    def is_kept(self) -> bool:
        """Say whether the promise was kept, or the control caught."""
        if self.is_compared:
            return True
        return self.states >= self.at_least and ((self.broken > 0) is self.is_control)

    @property
    def wanted(self) -> str:
        """Say what was to be reached."""
        if self.is_compared:
            return "for comparison"
        return "caught (control)" if self.is_control else f"0 of >={self.at_least}"


def print_table(rows: Sequence[Row]) -> None:
    """Print rows under their headings."""
    wide = max([len(row.case) for row in rows], default=0)
    print(f"  {'case':<{wide}}  states  broken  {'to reach':<16}  kept")
    for row in rows:
        kept = "-" if row.is_compared else "yes" if row.is_kept else "NO"
        line = f"  {row.case:<{wide}}  {row.states:6}  {row.broken:6}  {row.wanted:<16}  {kept:<4}  {row.found}"
        print(line.rstrip(), flush=True)
