"""The settings: credential, server, log level. Looking at a form is free, sending it needs the PIN.

As long as a valid certificate is served, settings are changed over HTTPS only: the PIN and the credential do not
travel in the clear when they need not. What is stored is never shown, only that it is there.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from lancert.box import plan, urls
from lancert.box.connecting import ConnectRefused
from lancert.box.facts import BoxFacts, NotAServer, Server, parse_server
from lancert.box.homepage.drawing import draw
from lancert.box.homepage.exchange import Answer, see_other
from lancert.box.homepage.forms import NO_MISTAKES, PIN, Mistakes, draw_form, judge_pin, read_form
from lancert.box.homepage.moments import moment_words
from lancert.box.homepage.speech import Speech
from lancert.box.homepage.visit import Visit
from lancert.kit.language import N_
from lancert.kit.logs import LEVELS
from lancert.protocol.credential import (
    Credential,
    NotACredential,
    NotAToken,
    parse_contract,
    parse_database_uuid,
    parse_fingerprint,
    parse_token,
)
from lancert.protocol.names import Address
from lancert.protocol.problems import Occurrence

_CREDENTIAL_FIELDS = frozenset({"contract", "database", PIN})
_TOKEN_FIELDS = frozenset({"token", PIN})
_ADDRESS_FIELDS = frozenset({"server", "root", PIN})
_LEVEL_FIELDS = frozenset({"level", PIN})

_LEVEL_WORDS = {
    "debug": N_("Debug: everything, for support"),
    "info": N_("Info: what happens (usual)"),
    "warning": N_("Warning: what may need a look"),
    "error": N_("Error: only what went wrong"),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class SecureLinks:
    """Where a page is found over HTTPS: by the name of the default route's address, and by each IP address."""

    by_name: str | None
    by_address: tuple[str, ...]


def https_only_links(visit: Visit, path: str) -> SecureLinks | None:
    """Give the links to a page that is for HTTPS alone now, by name and by address; None when it may be used here."""
    facts = visit.facts
    if visit.request.secure or not plan.serves_https(facts, visit.now):
        return None
    named = urls.https_url(facts)
    return SecureLinks(
        by_name=None if named is None else named.rstrip("/") + path,
        by_address=tuple(_https_by_address(address, facts) + path for address in facts.addresses),
    )


def _https_by_address(address: Address, facts: BoxFacts) -> str:
    host = f"[{address}]" if address.version == 6 else str(address)
    return f"https://{host}{'' if facts.ports.https == 443 else f':{facts.ports.https}'}"


def over_https_only(visit: Visit) -> Answer | None:
    """Give the page that leads to HTTPS, if this one is not to be used over HTTP."""
    # A download is asked for from the page of the log; that is the page to open.
    links = https_only_links(visit, visit.request.path.removesuffix("/download").removesuffix("/bundle"))
    if links is None:
        return None
    was_sent = visit.request.method == "POST"
    return draw(
        "https_only.html",
        visit.speech,
        status=403 if was_sent else 200,
        name=visit.facts.name,
        was_sent=was_sent,
        by_name=links.by_name,
        by_address=links.by_address,
    )


async def show_credential(visit: Visit) -> Answer:
    """Draw the form of the credential; it says what is there, never what it is."""
    return over_https_only(visit) or _credential_form(visit, {}, NO_MISTAKES)


async def change_credential(visit: Visit) -> Answer:
    """Change one half of the credential or both; a half that is left empty stays as it is."""
    if (elsewhere := over_https_only(visit)) is not None:
        return elsewhere
    form = await read_form(visit.request, _CREDENTIAL_FIELDS)
    credential, mistakes = _read_credential(form, visit)
    mistakes = mistakes or await judge_pin(visit, form[PIN])
    if mistakes is not None:
        return _credential_form(visit, form, mistakes)
    visit.agent.change_credential(credential)
    return see_other("/?saved=credential")


def _read_credential(form: Mapping[str, str], visit: Visit) -> tuple[Credential, Mistakes | None]:
    known, beside = visit.facts.credential, {}
    contract, database = known.contract, known.database
    try:
        contract = parse_contract(form["contract"]) if form["contract"].strip() else contract
    except NotACredential as error:
        beside["contract"] = visit.speech.say(str(error))
    try:
        database = parse_database_uuid(form["database"]) if form["database"].strip() else database
    except NotACredential as error:
        beside["database"] = visit.speech.say(str(error))
    if not form["contract"].strip() and not form["database"].strip():
        beside["contract"] = visit.speech.say(N_("Enter the contract, the database UUID or both."))
    return Credential(contract=contract, database=database), Mistakes(beside=beside) if beside else None


def _credential_form(visit: Visit, typed: Mapping[str, str], mistakes: Mistakes) -> Answer:
    credential = visit.facts.credential
    return draw_form(
        "credential.html",
        visit,
        mistakes,
        typed=typed,
        contract_is_set=credential.contract is not None,
        database_is_set=credential.database is not None,
    )


async def show_server(visit: Visit) -> Answer:
    """Draw the two forms that connect this box: by token, or by address."""
    return over_https_only(visit) or _server_form(visit, {}, NO_MISTAKES)


async def change_server(visit: Visit) -> Answer:
    """Connect to the server a token or an address names; the box fetches its root before it answers."""
    if (elsewhere := over_https_only(visit)) is not None:
        return elsewhere
    form = await read_form(visit.request, _TOKEN_FIELDS, _ADDRESS_FIELDS)
    wanted = _read_token(form, visit) if "token" in form else _read_address(form, visit)
    mistakes = wanted if isinstance(wanted, Mistakes) else await judge_pin(visit, form[PIN])
    if mistakes is not None or isinstance(wanted, Mistakes):
        return _server_form(visit, form, mistakes or NO_MISTAKES)
    try:
        await visit.agent.connect(*wanted)
    except NotAServer as error:
        return _server_form(visit, form, Mistakes(above=visit.speech.say(str(error))))
    except ConnectRefused as refused:
        return _server_form(visit, form, _unconnected(refused.problem, visit.speech))
    return see_other("/?saved=server")


def _read_token(form: Mapping[str, str], visit: Visit) -> tuple[Server, Credential] | Mistakes:
    try:
        token = parse_token(form["token"])
        server = parse_server(token.server, token.root_fingerprint)
    except (NotAToken, NotAServer) as error:
        return Mistakes(beside={"token": visit.speech.say(str(error))})
    return server, Credential(contract=token.contract, database=token.database)


def _read_address(form: Mapping[str, str], visit: Visit) -> tuple[Server, None] | Mistakes:
    beside = {}
    root = None
    try:
        root = parse_fingerprint(form["root"]) if form["root"].strip() else None
    except NotAToken as error:
        beside["root"] = visit.speech.say(str(error))
    try:
        server = parse_server(form["server"], root)
    except NotAServer as error:
        beside["server"] = visit.speech.say(str(error))
    return Mistakes(beside=beside) if beside else (server, None)


def _unconnected(problem: Occurrence, speech: Speech) -> Mistakes:
    why = problem.cause_meaning(speech.gettext) or problem.meaning(speech.gettext)
    # The steps of the cause come first; those of the row speak of a page that was opened, not of a form.
    steps = problem.remedy(speech.gettext)[: len(problem.cause.remedy) if problem.cause else None]
    return Mistakes(above=why, steps=tuple(steps), code=problem.code)


def _server_form(visit: Visit, typed: Mapping[str, str], mistakes: Mistakes) -> Answer:
    server = visit.facts.server
    return draw_form(
        "server.html",
        visit,
        mistakes,
        typed=typed,
        server=server.url if server else None,
        by_address="server" in typed,
    )


async def show_log_level(visit: Visit) -> Answer:
    """Draw the form of the log level."""
    return over_https_only(visit) or _log_level_form(visit, visit.facts.log_level, NO_MISTAKES)


async def change_log_level(visit: Visit) -> Answer:
    """Record more or less from now on."""
    if (elsewhere := over_https_only(visit)) is not None:
        return elsewhere
    form = await read_form(visit.request, _LEVEL_FIELDS)
    level = form["level"]
    if level not in LEVELS:
        mistakes: Mistakes | None = Mistakes(beside={"level": visit.speech.say(N_("Choose one of these levels."))})
    else:
        mistakes = await judge_pin(visit, form[PIN])
    if mistakes is not None:
        return _log_level_form(visit, level, mistakes)
    visit.agent.set_log_level(level)
    return see_other("/cogs?saved=log-level")


def _log_level_form(visit: Visit, level: str, mistakes: Mistakes) -> Answer:
    return draw_form(
        "log_level.html",
        visit,
        mistakes,
        **log_level_values(visit),
        log_level=level,
    )


def log_level_values(visit: Visit) -> dict[str, Any]:
    """Give what the form of the log level shows: the levels with what each records, and until when one was chosen."""
    until = visit.facts.log_level_until
    return {
        "levels": [(level, visit.speech.say(_LEVEL_WORDS[level])) for level in LEVELS],
        "log_level_until": None if until is None else moment_words(until, visit.speech),
    }
