"""What is handed to Windows and taken from it: numbers, texts and pointers, and that everything is given back.

The functions are a peer with the documented parameters; that Windows does what it documents is not shown here.
"""

import errno
from collections.abc import Callable
from pathlib import Path

import pytest
from tests.peers.windows_libraries import DENIED, SID, Dlls

from lancert.kit.platform.win32 import Calls

LIST = "D:P(A;OICI;FA;;;SY)(A;OICI;FA;;;BA)"
KEY = Path("key.pem")


@pytest.fixture
def dlls() -> Dlls:
    """The libraries of Windows, small."""
    return Dlls()


@pytest.fixture
def calls(dlls: Dlls) -> Calls:
    """The calls, going to them."""
    return Calls(dlls)


def test_the_own_account_is_read_and_its_token_closed(calls: Calls, dlls: Dlls) -> None:
    """The text and the handle that Windows gave are given back."""
    assert calls.own_account() == SID
    assert dlls.owed == []


def test_a_folder_is_made_with_its_access_list(calls: Calls, dlls: Dlls, tmp_path: Path) -> None:
    """S-04: from its first moment; one that is there stays as it is."""
    calls.make_folder(tmp_path / "bóx", LIST)
    calls.make_folder(tmp_path / "bóx", "D:P(A;OICI;FA;;;LS)")

    assert dlls.files == {str(tmp_path / "bóx"): LIST}
    assert dlls.owed == []


def test_a_file_in_the_place_of_a_folder_is_an_error(calls: Calls, dlls: Dlls, tmp_path: Path) -> None:
    """What is there is no folder, and nothing is done to it."""
    (tmp_path / "box").touch()

    with pytest.raises(FileExistsError):
        calls.make_folder(tmp_path / "box", LIST)
    assert dlls.owed == []


def test_an_access_list_that_was_set_is_read(calls: Calls, dlls: Dlls) -> None:
    """Protected, so that nothing comes down from above; the owner is changed only when one is named."""
    calls.set_access(KEY, LIST)
    assert calls.access_of(KEY) == LIST
    calls.set_access(KEY, LIST, owner="BA")
    assert calls.access_of(KEY) == f"O:BA{LIST}"
    calls.inherit_access(KEY)

    assert dlls.files == {"key.pem": "D:"}
    assert [f"{flags:#x}" for flags in dlls.flags] == ["0x80000004", "0x80000005", "0x20000004"]
    assert dlls.owed == []


def test_a_rename_replaces_and_is_written_through(calls: Calls, dlls: Dlls) -> None:
    """MOVEFILE_REPLACE_EXISTING and MOVEFILE_WRITE_THROUGH, and nothing else."""
    calls.move_over(Path("nèw"), KEY)

    assert dlls.moved == [("nèw", "key.pem", 9)]


def test_what_windows_says_of_itself_is_read(calls: Calls) -> None:
    """The right to administer, two folders, and the language of the screen without what else is in the register."""
    assert calls.is_administrator() is True
    assert str(calls.system_folder()) == "C:\\WINDOWS\\system32"
    assert str(calls.profiles_folder()) == "C:\\Users"
    assert calls.screen_language() == 0x0C0A


ASKED: tuple[tuple[str, Callable[[Calls], object]], ...] = (
    ("MoveFileExW", lambda calls: calls.move_over(Path("new"), KEY)),
    ("CreateDirectoryW", lambda calls: calls.make_folder(Path("box"), LIST)),
    ("ConvertStringSecurityDescriptorToSecurityDescriptorW", lambda calls: calls.make_folder(Path("box"), LIST)),
    ("GetNamedSecurityInfoW", lambda calls: calls.access_of(KEY)),
    ("ConvertSecurityDescriptorToStringSecurityDescriptorW", lambda calls: calls.access_of(KEY)),
    ("ConvertStringSecurityDescriptorToSecurityDescriptorW", lambda calls: calls.set_access(KEY, LIST)),
    ("GetSecurityDescriptorDacl", lambda calls: calls.set_access(KEY, LIST)),
    ("GetSecurityDescriptorOwner", lambda calls: calls.inherit_access(KEY)),
    ("SetNamedSecurityInfoW", lambda calls: calls.set_access(KEY, LIST)),
    ("OpenProcessToken", lambda calls: calls.own_account()),
    ("GetTokenInformation", lambda calls: calls.own_account()),
    ("ConvertSidToStringSidW", lambda calls: calls.own_account()),
    ("GetSystemDirectoryW", lambda calls: calls.system_folder()),
    ("GetProfilesDirectoryW", lambda calls: calls.profiles_folder()),
)


@pytest.mark.parametrize(("function", "ask"), ASKED, ids=[f"{name}-{n}" for n, (name, _) in enumerate(ASKED)])
def test_whatever_windows_refuses_is_an_error_and_nothing_is_owed(
    calls: Calls, dlls: Dlls, function: str, ask: Callable[[Calls], object]
) -> None:
    """Each function in turn: access denied is a PermissionError with that number, and memory goes back."""
    calls.set_access(KEY, LIST)
    dlls.failing = {function: DENIED}

    with pytest.raises(PermissionError, match=r"\[WinError 5\]") as refused:
        ask(calls)
    assert refused.value.errno == errno.EACCES
    assert dlls.owed == []


def test_what_is_not_given_back_would_be_seen(dlls: Dlls, calls: Calls) -> None:
    """The account above is no empty one."""
    dlls.failing = {"LocalFree": 0, "CloseHandle": DENIED}
    calls.own_account()

    assert dlls.owed == ["sid", f"handle {0x7007}"]
