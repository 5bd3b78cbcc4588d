"""What a person should know about a box that keeps nobody from HTTPS: a setting, or a file, that cannot be used.

A notice is none of the six public codes: those say why there is no certificate. It stands beside them on the homepage,
in ``status.json`` and in the log, and goes when its reason goes. Its ``id`` is public and permanent.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from lancert.kit.language import N_, Translate, fill


@dataclass(frozen=True, slots=True, kw_only=True)
class Notice:
    """One thing to know, with what to do about it; the sentences are marked for translation."""

    id: str
    title: str
    meaning: str
    remedy: tuple[str, ...] = ()
    facts: Mapping[str, str] = field(default_factory=dict)
    more: tuple[str, ...] = ()
    """Further sentences behind the meaning."""

    said: str = ""
    """What a program printed, redacted."""

    def document(self, translate: Translate) -> dict[str, Any]:
        """Give the notice as plain JSON values, in the reader's language."""
        return {
            "id": self.id,
            "title": translate(self.title),
            "meaning": " ".join(fill(translate(one), self.facts) for one in (self.meaning, *self.more) if one),
            "facts": dict(self.facts),
            "remedy": [fill(translate(step), self.facts) for step in self.remedy],
            **({"said": self.said} if self.said else {}),
        }


_FILE = N_("The settings file cannot be read")
_SETTING = N_("A setting cannot be used")
_HOW = N_("Write a setting as name = value, with texts in quotation marks, for instance: {example}")

UNUSABLE_FILES: Mapping[str, tuple[str, str]] = {
    "settings-no-file": (
        N_("{file} is not a file, so none of its settings counts."),
        N_("Put a text file in its place, or take it away: every setting has a default that works."),
    ),
    "settings-no-right": (
        N_("The agent has no right to read {file}, so none of its settings counts."),
        N_("Let the account of the agent read {file}; the other files in the same folder belong to it."),
    ),
    "settings-too-large": (
        N_("{file} is larger than 64 KiB, so none of its settings counts."),
        N_("Leave nothing but lines of settings in it."),
    ),
    "settings-disk": (
        N_("The disk does not give {file} back, so none of its settings counts."),
        N_("Check the disk or the memory card of the IoT system."),
    ),
}
"""Why a settings file as a whole cannot be read, and what to do."""


def unusable_file(why: str, file: str) -> Notice:
    """Say that a settings file cannot be read; ``why`` is one of ``UNUSABLE_FILES``."""
    meaning, remedy = UNUSABLE_FILES[why]
    return Notice(id=why, title=_FILE, meaning=meaning, remedy=(remedy,), facts={"file": file})


def broken_line(facts: Mapping[str, str]) -> Notice:
    """Say that a line is not TOML. ``facts``: file, line, example."""
    return Notice(
        id="settings-line",
        title=N_("A line of the settings cannot be read"),
        meaning=N_("Line {line} of {file} cannot be read, so it does not count; the other lines do."),
        remedy=(_HOW,),
        facts=facts,
    )


def no_text(facts: Mapping[str, str]) -> Notice:
    """Say that a line is no text. ``facts``: file, line."""
    return Notice(
        id="settings-not-text",
        title=N_("A line of the settings cannot be read"),
        meaning=N_("Line {line} of {file} holds signs that are no text, so it does not count."),
        remedy=(N_("Write the line again, and save the file as text in UTF-8."),),
        facts=facts,
    )


def named_twice(facts: Mapping[str, str]) -> Notice:
    """Say that a setting stands there twice. ``facts``: file, line, setting."""
    return Notice(
        id="settings-twice",
        title=_SETTING,
        meaning=N_("{setting} stands in {file} twice; line {line} does not count."),
        remedy=(N_("Remove one of the two lines."),),
        facts=facts,
    )


def unknown_setting(facts: Mapping[str, str]) -> Notice:
    """Say that nobody knows a setting. ``facts``: file, line, setting, known, and near with its example if any is."""
    remedy = (
        N_("Did you mean {near}? Write for instance: {example}")
        if "near" in facts
        else N_("The settings are: {known}.")
    )
    return Notice(
        id="settings-unknown",
        title=N_("There is a setting nobody knows"),
        meaning=N_("There is no setting {setting}, which stands in line {line} of {file}."),
        remedy=(remedy,),
        facts=facts,
    )


def needless_section(facts: Mapping[str, str]) -> Notice:
    """Say that settings stand below a heading. ``facts``: file, line, setting."""
    return Notice(
        id="settings-section",
        title=_SETTING,
        meaning=N_("Line {line} of {file} begins a section, [{setting}], and what stands below it does not count."),
        remedy=(N_("Remove line {line}: settings stand in no section."),),
        facts=facts,
    )


def unusable_setting(how: str, facts: Mapping[str, str]) -> Notice:
    """Say that a value cannot be. ``how`` says what it may be. ``facts``: file, line, setting, example."""
    return Notice(
        id="settings-value",
        title=_SETTING,
        meaning=N_("What line {line} of {file} says about {setting} cannot be used, so it does not count."),
        remedy=(how, N_("Write for instance: {example}")),
        facts=facts,
    )


def unknown_variable(facts: Mapping[str, str]) -> Notice:
    """Say that a variable of the environment sets nothing. ``facts``: setting, known, and near if any is."""
    remedy = N_("Did you mean {near}?") if "near" in facts else N_("The settings are: {known}.")
    return Notice(
        id="environment-unknown",
        title=N_("There is a setting nobody knows"),
        meaning=N_("The environment holds {setting}, and there is no such setting."),
        remedy=(remedy,),
        facts=facts,
    )


def unusable_variable(how: str, facts: Mapping[str, str]) -> Notice:
    """Say that a variable of the environment has a value that cannot be. ``facts``: setting, example."""
    return Notice(
        id="environment-value",
        title=_SETTING,
        meaning=N_("What the environment says about {setting} cannot be used, so it does not count."),
        remedy=(how, N_("Write for instance: {example}")),
        facts=facts,
    )


def not_here(facts: Mapping[str, str]) -> Notice:
    """Say that an address to listen on is not there. ``facts``: file, setting, address."""
    return Notice(
        id="settings-address",
        title=_SETTING,
        meaning=N_("{address} is not an address of this machine now, so the homepage does not listen on it."),
        remedy=(N_("Correct {setting} in {file}, or remove it: then every address of the machine is listened on."),),
        facts=facts,
    )


def more_lines(facts: Mapping[str, str]) -> Notice:
    """Say that more is wrong than is shown. ``facts``: file, count."""
    return Notice(
        id="settings-more",
        title=_SETTING,
        meaning=N_("{count} more lines of {file} cannot be used."),
        remedy=(N_("Mend the lines named here first; then the others are named."),),
        facts=facts,
    )


def restart_needed(file: str) -> Notice:
    """Say that the settings are not those the agent started with."""
    return Notice(
        id="settings-restart",
        title=N_("The settings were changed"),
        meaning=N_("The agent started with other settings than those that stand in {file} now."),
        remedy=(N_("Restart the agent so that they count; on Debian: systemctl restart lancert-box."),),
        facts={"file": file},
    )


_SET_ASIDE = N_("{file} could not be read. It was set aside as {aside}, and nothing was deleted.")
_CONNECT_AGAIN = (
    N_("Connect this IoT system again with its connection token, under cogs, Server."),
    N_("Until then the certificate it has is served."),
)
_NOTHING_TO_DO = (
    N_("Nothing needs to be done now: the IoT system goes on with a new file."),
    N_("If this comes back, check the disk or the memory card of the IoT system."),
)
_REMEDIES: Mapping[str, tuple[str, ...]] = {
    "connection.json": _CONNECT_AGAIN,
    "server.json": _CONNECT_AGAIN,
    "root.pem": _CONNECT_AGAIN,
    "credential.json": (N_("Enter the credential again under cogs, Credential."),),
    "pin.json": (N_("Make a new PIN on the IoT system with the command “lancert box pin”."),),
    "identity.pem": (
        N_("This IoT system has a new identity and counts as another one."),
        N_("Have the operator of the service remove the old one."),
    ),
}


def file_set_aside(file: str) -> Notice:
    """Say that a file of the folder was damaged, and what follows."""
    return Notice(
        id="file-set-aside",
        title=N_("A file of this IoT system was damaged"),
        meaning=_SET_ASIDE,
        remedy=_REMEDIES.get(file, _NOTHING_TO_DO),
        facts={"file": file, "aside": f"set-aside-{file}"},
    )


def unreadable_file(file: str) -> Notice:
    """Say that a file of the folder cannot be read now; it may be whole."""
    return Notice(
        id="file-unreadable",
        title=N_("A file of this IoT system cannot be read"),
        meaning=N_("{file} cannot be read, so the IoT system goes on without it. The file was left as it is."),
        remedy=(
            N_("Check that {file} belongs to the account of the agent, as the other files of its folder do."),
            N_("Check the disk or the memory card of the IoT system."),
        ),
        facts={"file": file},
    )


def file_was_open(file: str) -> Notice:
    """Say that other accounts could have read a file; it is closed again."""
    return Notice(
        id="file-was-open",
        title=N_("A file was open to other accounts"),
        meaning=N_("Other accounts of this machine had rights on {file}. It is private again."),
        remedy=(N_("Find out what changed the rights of the file, and who had access to this machine."),),
        facts={"file": file},
    )
