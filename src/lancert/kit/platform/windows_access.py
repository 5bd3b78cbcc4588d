"""Who may use a file of Windows: reads and writes security descriptors in their text form (SDDL; MS-DTYP, 2.5.1.1).

Pure: no call to any system, so the decisions are the same wherever they are tested. A file is private when nobody has a
right on it but the system, the administrators, the account that runs the agent and LocalService, as which the
scheduled task runs it. What cannot be read counts as open, never as private.
"""

import re
from dataclasses import dataclass

SYSTEM = "S-1-5-18"
ADMINISTRATORS = "S-1-5-32-544"
LOCAL_SERVICE = "S-1-5-19"
UNREADABLE = "?"
"""Whoever is meant by an entry that cannot be read; EVERYBODY is who has rights when there is no list at all."""
EVERYBODY = "S-1-1-0"

# Only the owner has what these two stand for, and an owner is judged by himself.
_OWNER_HIMSELF = {"S-1-3-0", "S-1-3-4"}
_SHORT = {"SY": SYSTEM, "BA": ADMINISTRATORS, "LS": LOCAL_SERVICE, "CO": "S-1-3-0", "OW": "S-1-3-4", "WD": EVERYBODY}
_BUILT_IN_ADMINISTRATOR = "LA"  # stands for the account whose SID ends so in every domain and on every machine
_ITS_SID = re.compile(r"S-1-5-21-[0-9-]+-500")

_GRANTS = {"A", "OA", "XA", "ZA"}
_DENIES = {"D", "OD", "XD"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Access:
    """Who owns a file, and who has any right on it or on what is made in it."""

    owner: str | None
    holders: frozenset[str]

    def strangers(self, own: str) -> frozenset[str]:
        """Give those who have a right and should have none, when this account runs the agent."""
        return frozenset(one for one in self.holders if not _is_trusted(one, own) and one not in _OWNER_HIMSELF)

    def is_owned_by_stranger(self, own: str) -> bool:
        """Say whether the owner, who can always give rights back, is somebody else."""
        return self.owner is None or not _is_trusted(self.owner, own)


def _is_trusted(account: str, own: str) -> bool:
    if account == _BUILT_IN_ADMINISTRATOR:
        return _ITS_SID.fullmatch(own) is not None
    return account in {SYSTEM, ADMINISTRATORS, LOCAL_SERVICE, own}


def read_access(descriptor: str) -> Access:
    """Read a security descriptor as Windows writes one, with its owner and its access list."""
    parts = _parts(descriptor)
    owner = parts.get("O")
    return Access(owner=_SHORT.get(owner, owner) if owner else None, holders=_holders(parts.get("D")))


def _parts(descriptor: str) -> dict[str, str]:
    """Take ``O:BAG:SYD:P(A;;FA;;;SY)`` apart into O, G and D; a condition in brackets may hold any sign."""
    parts, name, depth = {"": ""}, "", 0
    for sign, following in zip(descriptor, descriptor[1:] + " ", strict=True):
        depth += (sign == "(") - (sign == ")")
        if depth == 0 and sign in "OGDS" and following == ":":
            name = sign
            parts[name] = ""
        else:
            parts[name] += sign
    return {name: content.removeprefix(":") for name, content in parts.items()}


def _entries(access_list: str) -> list[str]:
    """Give what stands in each outer pair of brackets."""
    found, depth = [""], 0
    for sign in access_list:
        depth += (sign == "(") - (sign == ")")
        if depth == 0:
            found.append("")
        elif (sign, depth) != ("(", 1):
            found[-1] += sign
    return [one for one in found if one]


def _holders(access_list: str | None) -> frozenset[str]:
    # Without an access list everybody has every right; with an empty one nobody has any (MS-DTYP, 2.5.3.3).
    if access_list is None or "NO_ACCESS_CONTROL" in access_list:
        return frozenset({EVERYBODY})
    found = set()
    for entry in _entries(access_list):
        kind, *fields = entry.split(";")
        if kind in _DENIES:
            continue
        account = fields[4] if kind in _GRANTS and len(fields) >= 5 else UNREADABLE
        found.add(_SHORT.get(account, account))
    return frozenset(found)


def private_folder(*accounts: str) -> str:
    """Write the access list of a folder for these accounts, the system and the administrators alone.

    It is protected (``P``), so that nothing comes down from the folder above, and everything made in the folder has
    it from its first byte (``OICI``).
    """
    named = dict.fromkeys([SYSTEM, ADMINISTRATORS, *accounts])
    return "D:P" + "".join(f"(A;OICI;FA;;;{account})" for account in named)


def accounts_to_keep(found: Access, own: str) -> tuple[str, ...]:
    """Say who keeps a folder that is closed: the own account, and the scheduled task's if it had been given it."""
    return (own, *({LOCAL_SERVICE} & found.holders))
