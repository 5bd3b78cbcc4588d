"""Who may use a file of Windows, read from the text forms that Windows writes."""

import pytest

from lancert.kit.platform.windows_access import (
    ADMINISTRATORS,
    EVERYBODY,
    LOCAL_SERVICE,
    SYSTEM,
    UNREADABLE,
    accounts_to_keep,
    private_folder,
    read_access,
)

OWNER_ACCOUNT = "S-1-5-21-1004336348-1177238915-682003330-1001"
ANOTHER = "S-1-5-21-1004336348-1177238915-682003330-1002"
FIRST_ADMINISTRATOR = "S-1-5-21-1004336348-1177238915-682003330-500"
CLOSED = "(A;OICI;FA;;;SY)(A;OICI;FA;;;BA)"


@pytest.mark.parametrize(
    "access_list",
    [
        f"D:P{CLOSED}",
        f"D:PAI{CLOSED}(A;OICI;FA;;;{OWNER_ACCOUNT})",
        f"D:PAI{CLOSED}(A;OICI;FA;;;LS)",
        f"D:PAI{CLOSED}(A;OICI;FA;;;S-1-5-19)",
        "D:AI(A;ID;FA;;;SY)(A;ID;FA;;;BA)",
        f"D:P{CLOSED}(A;OICIIO;GA;;;CO)(A;OICI;FA;;;OW)",
        f"D:P(D;OICI;FA;;;WD){CLOSED}",
        "D:P",
        f'D:P(XA;;FX;;;BA;(@USER.Title=="D:(PM" && (@USER.Division=="S:x"))){CLOSED}',
    ],
)
def test_a_file_for_system_administrators_and_the_agent_is_private(access_list: str) -> None:
    """S-04: these accounts and no others; what is denied to somebody opens nothing."""
    access = read_access(f"O:BAG:SY{access_list}")

    assert access.strangers(OWNER_ACCOUNT) == set()
    assert not access.is_owned_by_stranger(OWNER_ACCOUNT)


@pytest.mark.parametrize(
    ("access_list", "strangers"),
    [
        ("D:AI(A;ID;FA;;;SY)(A;ID;FA;;;BA)(A;ID;0x1200a9;;;BU)", {"BU"}),
        (f"D:P{CLOSED}(A;;FR;;;{ANOTHER})", {ANOTHER}),
        (f"D:P{CLOSED}(A;;FR;;;WD)", {EVERYBODY}),
        (f"D:P{CLOSED}(A;OICIIO;FR;;;AU)", {"AU"}),
        (f"D:P{CLOSED}(A;;FR;;;LA)", {"LA"}),
        (f"D:P{CLOSED}(A;;FR;;;NS)", {"NS"}),
        (f'D:P{CLOSED}(XA;;FX;;;BU;(@USER.Title=="PM" && (@USER.Team=="(")))', {"BU"}),
        (f"D:P{CLOSED}(OA;;CR;ab721a53-1e2f-11d0-9819-00aa0040529b;;AU)", {"AU"}),
        ("D:NO_ACCESS_CONTROL", {EVERYBODY}),
        ("", {EVERYBODY}),
        (f"D:P{CLOSED}(?;;FR;;;BA)", {UNREADABLE}),
        (f"D:P{CLOSED}(A;;FR)", {UNREADABLE}),
        (f"D:P{CLOSED}(nonsense)", {UNREADABLE}),
    ],
)
def test_every_other_account_with_a_right_is_a_stranger(access_list: str, strangers: set[str]) -> None:
    """S-04: users, everybody, another person; what cannot be read counts as open too."""
    assert read_access(f"O:BAG:SY{access_list}").strangers(OWNER_ACCOUNT) == strangers


def test_the_first_administrator_of_the_machine_has_a_short_name() -> None:
    """Windows writes LA for the account it came with, which may be the one that runs the agent."""
    access = read_access(f"O:LAG:SYD:P{CLOSED}(A;OICI;FA;;;LA)")

    assert access.strangers(FIRST_ADMINISTRATOR) == set()
    assert not access.is_owned_by_stranger(FIRST_ADMINISTRATOR)
    assert access.strangers(OWNER_ACCOUNT) == {"LA"}
    assert access.is_owned_by_stranger(OWNER_ACCOUNT)


@pytest.mark.parametrize(
    ("owner", "is_stranger"),
    [
        ("BA", False),
        ("SY", False),
        ("LS", False),
        (OWNER_ACCOUNT, False),
        (ANOTHER, True),
        ("DAG", True),
        ("", True),
    ],
)
def test_a_folder_that_another_account_made_belongs_to_a_stranger(owner: str, is_stranger: bool) -> None:
    """Everybody may make folders in C:\\ProgramData, and who owns one can always give himself rights."""
    assert read_access(f"O:{owner}G:SYD:P{CLOSED}").is_owned_by_stranger(OWNER_ACCOUNT) is is_stranger


def test_what_is_written_for_a_folder_is_read_as_private() -> None:
    """S-04: what we set is what we look for, protected from the folder above and inherited by what is made inside."""
    written = private_folder(OWNER_ACCOUNT, LOCAL_SERVICE)
    access = read_access(f"O:BAG:SY{written}")

    assert written.startswith("D:P(A;OICI;")
    assert access.holders == {SYSTEM, ADMINISTRATORS, OWNER_ACCOUNT, LOCAL_SERVICE}
    assert access.strangers(OWNER_ACCOUNT) == set()


def test_no_account_stands_twice_in_a_list() -> None:
    """The agent may itself run as the system."""
    assert private_folder(SYSTEM) == private_folder()


def test_closing_a_folder_does_not_lock_the_scheduled_task_out() -> None:
    """Whoever uses the command line as administrator leaves LocalService its folder, and gives it to nobody new."""
    with_task = read_access(f"O:BAG:SYD:{CLOSED}(A;OICI;FA;;;LS)(A;;FR;;;BU)")
    without = read_access(f"O:BAG:SYD:{CLOSED}(A;;FR;;;BU)")

    assert accounts_to_keep(with_task, OWNER_ACCOUNT) == (OWNER_ACCOUNT, LOCAL_SERVICE)
    assert accounts_to_keep(without, OWNER_ACCOUNT) == (OWNER_ACCOUNT,)
