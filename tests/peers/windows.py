"""Windows made small: a program that runs ``lancert`` with the Windows half of its platform, on any system.

The calls of ``lancert.kit.platform.win32`` are answered here as Microsoft documents them: access lists that come down
from the folder above unless they are protected, a rename that is refused while somebody has the file open, a lock.
Everything above those calls is the real thing. It shows what the agent makes of such a system, not that Windows is so.

    python windows.py STATE COMMAND...        STATE is a JSON file, the control panel: see ``Windows``
"""

import fcntl
import json
import os
import re
import runpy
import sys
import types
from dataclasses import asdict, dataclass, field
from pathlib import Path

OWNER = "S-1-5-21-1004336348-1177238915-682003330-1001"
# What C:\ProgramData gives to what is made in it: everybody may read.
FROM_ABOVE = "D:(A;OICI;FA;;;SY)(A;OICI;FA;;;BA)(A;OICI;0x1200a9;;;BU)"


@dataclass(slots=True, kw_only=True)
class Windows:
    """The state of the pretended system, and what was asked of it."""

    account: str = OWNER
    is_administrator: bool = True
    tools: str = ""
    """The folder of Windows' own programs."""
    profiles: str = "/nobody"
    access: dict[str, list[str]] = field(default_factory=dict)
    """Owner and own access list of each file that has one, whatever it is called; the others inherit."""
    busy: int = 0
    """How many renames are refused because another program has the file open."""
    renamed: int = 0

    def save(self, path: Path) -> None:
        """Write the control panel, for whatever process reads it next."""
        beside = path.with_suffix(f".{os.getpid()}")
        beside.write_text(json.dumps(asdict(self)))
        os.replace(beside, path)

    def give(self, path: Path, owner: str, access: str) -> None:
        """Give a file an owner and an access list of its own; without a list it inherits."""
        self.access[_file(path)] = [owner, access]

    def given(self, path: Path) -> tuple[str, str]:
        """Say what a file was given: owner and access list, empty when nothing was."""
        owner, access = self.access.get(_file(path), ("", ""))
        return owner, access

    @classmethod
    def load(cls, path: Path) -> "Windows":
        """Read the control panel."""
        return cls(**json.loads(path.read_text()))


def _file(path: Path) -> str:
    found = path.stat()
    return f"{found.st_dev}:{found.st_ino}"


def access_of(state: Windows, path: Path) -> str:
    """Give owner and access list of a path, its own or what comes down to it."""
    owner, own_list = state.given(path)
    if own_list:
        return f"O:{owner}G:SY{own_list}"
    above = next((found for one in path.parents if (found := state.given(one)[1])), FROM_ABOVE)
    entries = re.sub(r";OICI;", ";OICIID;" if path.is_dir() else ";ID;", above.partition("(")[2])
    return f"O:{owner or state.account}G:SYD:AI({entries}"


class Calls:
    """Stands where the ``Calls`` of ``lancert.kit.platform.win32`` do."""

    def __init__(self, file: Path) -> None:
        self._file = file

    @property
    def _state(self) -> Windows:
        return Windows.load(self._file)

    def own_account(self) -> str:
        return self._state.account

    def is_administrator(self) -> bool:
        return self._state.is_administrator

    def system_folder(self) -> Path:
        return Path(self._state.tools)

    def profiles_folder(self) -> Path:
        return Path(self._state.profiles)

    def screen_language(self) -> int:
        return 0x0C0A  # Spanish, as in Spain

    def access_of(self, path: Path) -> str:
        return access_of(self._state, path)

    def make_folder(self, path: Path, access: str) -> None:
        if not path.is_dir():
            path.mkdir()
            self._set(path, self._state.account, access)

    def set_access(self, path: Path, access: str, owner: str | None = None) -> None:
        self._set(path, owner or self._state.given(path)[0] or self._state.account, access)

    def inherit_access(self, path: Path) -> None:
        self._set(path, self._state.given(path)[0] or self._state.account, "")

    def _set(self, path: Path, owner: str, access: str) -> None:
        state = self._state
        state.give(path, owner, access)
        state.save(self._file)

    def move_over(self, old: Path, new: Path) -> None:
        state = self._state
        state.busy, state.renamed = max(0, state.busy - 1), state.renamed + 1
        refused = self._state.busy > 0
        state.save(self._file)
        if refused:
            raise PermissionError(13, "the process cannot access the file because it is being used", str(new))
        os.replace(old, new)

    def lock(self, descriptor: int) -> None:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)


def main() -> None:
    """Have the Windows half chosen, then run the command line."""
    file = Path(sys.argv.pop(1))
    win32 = types.ModuleType("lancert.kit.platform.win32")
    win32.__dict__["calls"] = Calls(file)
    sys.modules[win32.__name__] = win32
    before, sys.platform = sys.platform, "win32"
    import lancert.kit.platform  # chooses now, once

    sys.platform = before
    assert lancert.kit.platform.system is sys.modules["lancert.kit.platform.windows"]
    runpy.run_module("lancert", run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    main()
