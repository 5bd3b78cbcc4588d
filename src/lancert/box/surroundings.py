"""What the box knows of its place in the network, kept up to date beside everything else the agent does.

A new address is a new URL at once, also while a try to load hangs in a firewall. For each address it is known whether
the box's own HTTPS answers there: with its own certificate, asked in the way a visitor asks.
"""

import asyncio
import contextlib
from collections.abc import Callable, Mapping
from typing import Final

from lancert.box import address_watch, network
from lancert.box.facts import BoxFacts
from lancert.box.interfaces import Interface
from lancert.box.own_door import served_fingerprint
from lancert.kit.logs import Log
from lancert.protocol.names import Address, stable_name

_ANSWERS_WITHIN: Final = 2.0
_STAYS_TRUE: Final = 600.0  # seconds after which even what was fine is asked again
_AFTER_A_FAULT: Final = 5.0

log = Log("box.network")


class Surroundings:
    """Interfaces, addresses and whether HTTPS answers at them. ``given`` addresses are taken as they are."""

    def __init__(self, given: tuple[Address, ...]) -> None:
        self._given = given
        self._again = asyncio.Event()
        self._asked_about: tuple[tuple[Address, ...], str] | None = None
        self._asked_at = 0.0
        self.interfaces: tuple[Interface, ...] = ()
        self.addresses: tuple[Address, ...] = given
        self.answers: Mapping[Address, bool] = {}
        self._look()

    def look_again(self) -> None:
        """Say that what is served has changed."""
        self._again.set()

    async def follow(self, facts: Callable[[], BoxFacts], changed: Callable[[], None]) -> None:
        """Keep all of it up to date until cancelled; ``changed`` is called when there is another address or way out."""
        watch = address_watch.watch()
        try:
            while True:
                try:
                    if self._look():
                        log.info(
                            "the network changed",
                            addresses=[str(one) for one in self.addresses],
                            ways_out=[one.name for one in self.interfaces if one.has_default_route],
                        )
                        changed()
                    await self._ask(facts())
                    await self._news(watch)
                except Exception:
                    log.exception("a look at the network failed")
                    watch.close()
                    watch = address_watch.PollingWatch()
                    await asyncio.sleep(_AFTER_A_FAULT)
        finally:
            watch.close()

    def _look(self) -> bool:
        """Look at the network, and say whether it is another than before.

        A lease brings the address first and the way out of the network a moment later: both count.
        """
        if self._given:
            return False
        before = self.interfaces, self.addresses
        self.interfaces, self.addresses = network.look()
        return (self.interfaces, self.addresses) != before

    async def _ask(self, facts: BoxFacts) -> None:
        """Ask the own door at each address, if what is known about it may no longer be true."""
        installed = facts.stored.usable
        if installed is None or not facts.name_spaces:
            self.answers, self._asked_about = {}, None
            return
        about, now = (self.addresses, installed.facts.fingerprint), asyncio.get_running_loop().time()
        is_known = about == self._asked_about and all(self.answers.values())
        if is_known and now - self._asked_at < _STAYS_TRUE:
            return
        self._asked_about, self._asked_at = about, now
        name = stable_name(facts.name_spaces[0].label, facts.name_spaces[0].zone)
        seen = await asyncio.gather(*(_served_at(address, facts.ports.https, name) for address in about[0]))
        self.answers = {address: one == about[1] for address, one in zip(about[0], seen, strict=True)}

    async def _news(self, watch: address_watch.AddressWatch) -> None:
        """Wait until the network may have changed, or what is served has."""
        waits = [asyncio.ensure_future(watch.changed()), asyncio.ensure_future(self._again.wait())]
        try:
            done, _rest = await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
            self._again.clear()
            for one in done:
                one.result()
        finally:
            for one in waits:
                one.cancel()


async def _served_at(address: Address, port: int, name: str) -> str | None:
    with contextlib.suppress(OSError, TimeoutError):
        return await asyncio.wait_for(served_fingerprint(str(address), port, name), _ANSWERS_WITHIN)
    return None
