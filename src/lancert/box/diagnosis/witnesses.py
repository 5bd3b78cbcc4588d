"""Asks about the name of the box: the system's resolver, its servers one by one, the zone's own, a public one.

While the system's resolver gives the right address, nobody outside is asked. What the answers mean is decided in
``resolution``. All of it is bounded in time, and a resolver that answers to another question than was asked is heard
as one that says nothing.
"""

import asyncio
import contextlib
import socket
from collections.abc import Coroutine, Sequence
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address

from lancert.box.diagnosis import question, routers
from lancert.box.diagnosis.question import Answer, Class, Kind, NoAnswer
from lancert.box.diagnosis.resolution import NOT_HEARD, Heard, Said
from lancert.box.diagnosis.resolvers import Resolvers
from lancert.protocol.names import (
    CANARY_ADDRESSES,
    Address,
    Label,
    Zone,
    address_name,
    address_ranges,
    canary_name,
    parse_address,
)

_SYSTEM_SECONDS = 6.0
_WITNESS_SECONDS = 15.0
_ASK_TRIES = 2
_MOST_SERVERS = 3
_UNSPECIFIED = frozenset((IPv4Address(0), IPv6Address(0)))
_PRIVATE = address_ranges()


@dataclass(frozen=True, slots=True, kw_only=True)
class Name:
    """The name of a box that is asked about: an address, written in a name."""

    address: Address
    label: Label
    zone: Zone

    def __str__(self) -> str:
        """Give the name."""
        return address_name(self.address, self.label, self.zone)

    @property
    def kind(self) -> Kind:
        """Give the type of record it has."""
        return Kind.A if isinstance(self.address, IPv4Address) else Kind.AAAA

    @property
    def canary(self) -> str:
        """Give the canary of its zone."""
        return canary_name(self.zone)

    @property
    def canary_address(self) -> Address:
        """Give the address of the canary that is of the same kind."""
        return CANARY_ADDRESSES[0 if self.kind is Kind.A else 1]

    def sibling(self, chance: int) -> "Name":
        """Give another name of the same box, which hardly anybody has asked for.

        Its address is drawn from the own network, since a filter may hide that network alone.
        """
        bits = 8 if self.kind is Kind.A else 64
        number = int(self.address) >> bits << bits | chance % 2**bits
        number ^= number == int(self.address)
        drawn: Address = IPv4Address(number) if self.kind is Kind.A else IPv6Address(number)
        return Name(address=drawn, label=self.label, zone=self.zone)


@dataclass(frozen=True, slots=True, kw_only=True)
class Witnesses:
    """What everybody said. ``found`` are addresses that are not this box, where the system gave such."""

    here: Heard
    servers: dict[str, Heard]
    zone: Heard = NOT_HEARD
    public: Heard = NOT_HEARD
    found: tuple[str, ...] = ()
    families: tuple[str, ...] = ()

    @property
    def hiding(self) -> tuple[str, ...]:
        """Give the servers that answer for the zone and hide what is private."""
        return tuple(server for server, heard in self.servers.items() if heard.hides)

    @property
    def denying(self) -> tuple[str, ...]:
        """Give the servers that say there is no such name, or that it has no address."""
        return tuple(server for server, heard in self.servers.items() if heard.own.is_denied)

    @property
    def silent(self) -> tuple[str, ...]:
        """Give the servers that give no answer about the zone."""
        return tuple(server for server, heard in self.servers.items() if heard.is_down)


async def hear(name: Name, resolvers: Resolvers, chance: int) -> Witnesses:
    """Ask everybody who is needed. ``chance`` draws a name that nobody can have asked for before."""
    hearing = _Hearing(name, resolvers, name.sibling(chance))
    (own, found), answers = await asyncio.gather(
        hearing.system(str(name), name.address),
        asyncio.gather(*(hearing.said(one, str(name), name.address) for one in hearing.asked)),
    )
    servers = dict(zip(hearing.asked, answers, strict=True))
    if own is Said.RIGHT:
        missing = [server for server, said in servers.items() if said not in (Said.RIGHT, Said.SILENT)]
        heard = await asyncio.gather(*(hearing.server(server, servers[server]) for server in missing))
        return Witnesses(here=Heard(own=own), servers=dict(zip(missing, heard, strict=True)))
    return await hearing.everybody(own, found, servers)


class _Hearing:
    def __init__(self, name: Name, resolvers: Resolvers, sibling: Name) -> None:
        self._name, self._resolvers, self._sibling = name, resolvers, sibling
        router = (resolvers.router,) if resolvers.router not in (None, *resolvers.servers) else ()
        self._servers = resolvers.servers[:_MOST_SERVERS]
        self.asked = (*self._servers, *(one for one in router if one is not None))

    async def everybody(self, own: Said, found: tuple[str, ...], servers: dict[str, Said]) -> Witnesses:
        """Ask whoever can tell why the system's resolver does not give the address, and that resolver again."""
        systems, (zone, public), heard = await asyncio.gather(
            asyncio.gather(
                self.system(self._name.canary, self._name.canary_address),
                self.system(str(self._name), self._name.address),
                self.system(str(self._sibling), self._sibling.address),
            ),
            asyncio.gather(_in_time(self._zone()), _in_time(self._public())),
            asyncio.gather(*(self.server(server, said) for server, said in servers.items())),
        )
        (canary, _), (again, found_again), (sibling, _) = systems
        if again is Said.RIGHT:
            # One packet was lost; what works at the second try works.
            return Witnesses(here=Heard(own=again), servers={})
        by_server = dict(zip(servers, heard, strict=True))
        own_servers = [by_server[server] for server in self._servers]
        here = Heard(
            own=_as_asked(Said.OTHER if own is Said.OTHER else again, [one.own for one in own_servers]),
            canary=_as_asked(canary, [one.canary for one in own_servers]),
            sibling=sibling,
            root=_best([one.root for one in own_servers]),
        )
        hiding = next((server for server, one in by_server.items() if one.hides), None)
        return Witnesses(
            here=here,
            servers=by_server,
            zone=zone,
            public=public,
            found=found or found_again,
            families=() if hiding is None else await self._families(hiding),
        )

    async def system(self, name: str, expected: Address) -> tuple[Said, tuple[str, ...]]:
        """Ask the system's resolver, and give the addresses that are not the expected one."""
        try:
            found = await asyncio.wait_for(self._resolvers.look_up(name), _SYSTEM_SECONDS)
        except TimeoutError:
            return Said.SILENT, ()
        except OSError as error:
            return _said_by_error(error), ()
        addresses = frozenset(address for text in found if (address := parse_address(text)) is not None)
        said = _said(addresses, expected)
        return said, tuple(sorted(found)) if said is Said.OTHER else ()

    async def server(self, server: str, own: Said) -> Heard:
        """Ask one server for the canary, now that it was asked for the name of the box, and for the root."""
        canary, root = await asyncio.gather(
            self.said(server, self._name.canary, self._name.canary_address), self._root(server)
        )
        return Heard(own=own, canary=canary, root=root)

    async def _root(self, server: str) -> Said:
        try:
            answer = await self._ask(server, ".", Kind.NS)
        except NoAnswer:
            return Said.SILENT
        return Said.RIGHT if answer.rcode == question.NO_ERROR and answer.names else Said.FAILED

    async def said(self, server: str, name: str, expected: Address, *, recurse: bool = True) -> Said:
        """Ask one server for the address of a name."""
        try:
            answer = await self._ask(server, name, self._name.kind, recurse=recurse)
        except NoAnswer:
            return Said.SILENT
        if not recurse and not answer.is_authoritative and answer.rcode in (question.NO_ERROR, question.NO_NAME):
            return Said.SILENT  # somebody on the way answered in the place of the zone's server
        if answer.rcode == question.NO_ERROR:
            return _said(answer.addresses, expected)
        return Said.UNKNOWN if answer.rcode == question.NO_NAME else Said.FAILED

    async def _ask(self, server: str, name: str, kind: Kind, *, recurse: bool = True, of: Class = Class.IN) -> Answer:
        return await question.ask(
            name, kind, server, port=self._resolvers.port, recurse=recurse, of=of, tries=_ASK_TRIES
        )

    async def _heard(self, server: str, *, recurse: bool) -> Heard:
        own, canary = await asyncio.gather(
            self.said(server, str(self._name), self._name.address, recurse=recurse),
            self.said(server, self._name.canary, self._name.canary_address, recurse=recurse),
        )
        return Heard(own=own, canary=canary)

    async def _public(self) -> Heard:
        """Ask the public resolvers one after the other until one answers."""
        heard = NOT_HEARD
        for server in self._resolvers.public[:_MOST_SERVERS]:
            heard = await self._heard(server, recurse=True)
            if heard.is_awake:
                break
        return heard

    async def _zone(self) -> Heard:
        """Ask the zone's own servers until one answers."""
        heard = NOT_HEARD
        for server in (await self._servers_of_the_zone())[:_MOST_SERVERS]:
            heard = await self._heard(server, recurse=False)
            if heard.is_awake:
                break
        return heard

    async def _servers_of_the_zone(self) -> Sequence[str]:
        for server in (*self.asked, *self._resolvers.public):
            with contextlib.suppress(NoAnswer):
                names = (await self._ask(server, self._name.zone, Kind.NS)).names
                addresses = [one for name in names[:_MOST_SERVERS] for one in await self._addresses(name)]
                if addresses:
                    return addresses
        return ()

    async def _addresses(self, host: str) -> Sequence[str]:
        """Give the addresses of a name server of the zone, which a filter may hide too where they are private."""
        for server in (*self.asked, *self._resolvers.public):
            with contextlib.suppress(NoAnswer):
                if found := (await self._ask(server, host, Kind.A)).addresses:
                    return [str(address) for address in found]
        return ()

    async def _families(self, server: str) -> tuple[str, ...]:
        """Tell which families of routers a server can belong to, from what it says of itself."""
        version, private = await asyncio.gather(
            self._version(server),
            asyncio.gather(*(self._is_private(server, marker) for marker in routers.MARKERS)),
        )
        known = {marker for marker, is_private in zip(routers.MARKERS, private, strict=True) if is_private}
        return tuple(router.id for router in routers.families(version.lower(), known.__contains__))

    async def _version(self, server: str) -> str:
        with contextlib.suppress(NoAnswer):
            return next(iter((await self._ask(server, "version.bind", Kind.TXT, of=Class.CHAOS)).texts), "")
        return ""

    async def _is_private(self, server: str, name: str) -> bool:
        with contextlib.suppress(NoAnswer):
            return any(_PRIVATE.allow(address) for address in (await self._ask(server, name, Kind.A)).addresses)
        return False


async def _in_time(witness: Coroutine[None, None, Heard]) -> Heard:
    try:
        return await asyncio.wait_for(witness, _WITNESS_SECONDS)
    except TimeoutError:
        return NOT_HEARD


def _said(addresses: frozenset[Address], expected: Address) -> Said:
    if expected in addresses:
        return Said.RIGHT
    return Said.OTHER if addresses - _UNSPECIFIED else Said.EMPTY


def _said_by_error(error: OSError) -> Said:
    if not isinstance(error, socket.gaierror):
        return Said.SILENT
    no_data = getattr(socket, "EAI_NODATA", None)
    match error.errno:
        case socket.EAI_NONAME:
            return Said.UNKNOWN
        case number if number is not None and number == no_data:
            return Said.EMPTY
        case socket.EAI_FAIL:
            return Said.FAILED
        case _:
            return Said.SILENT


def _best(said: Sequence[Said]) -> Said:
    return next((one for one in (Said.RIGHT, Said.FAILED, Said.SILENT) if one in said), Said.NOT_ASKED)


def _as_asked(system: Said, servers: Sequence[Said]) -> Said:
    """Say more exactly why the system's resolver has no address: it asks server after server until one answers."""
    if system in (Said.RIGHT, Said.OTHER):
        return system
    told = next((said for said in servers if said.is_told), None)
    if told is not None:
        # Where a server gives an address and the system none, the system is believed: applications see that.
        return told if told.is_denied else system
    return Said.FAILED if Said.FAILED in servers else system
