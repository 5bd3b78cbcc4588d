"""Keeps the targets supplied beside a running agent: after each new certificate, and again after each failure.

The work is done in a thread, so neither the homepage nor the agent's own certificate waits for a program that hangs.
Whatever a target does, the box's own HTTPS was swapped before this is told about the certificate.
"""

import asyncio
import contextlib
import random
import threading
from collections.abc import Callable, Sequence
from datetime import datetime

from lancert.box.deploy import plan
from lancert.box.deploy.handing import HandOver, hand_over
from lancert.box.deploy.material import Material, material_of
from lancert.box.deploy.outcome import HandedOver, from_records, to_record
from lancert.box.deploy.reading import Complaint
from lancert.box.deploy.targets import Target
from lancert.box.deploy.telling import notices_of
from lancert.box.folder import Folder
from lancert.box.notices import Notice
from lancert.box.store import CertificateStore, Damaged
from lancert.kit.files import AlreadyLocked
from lancert.kit.logs import Log

_GLANCE = 2.0  # seconds between two looks at what is due, and at what a command has done meanwhile

log = Log("box.deploy")


class Keeper:
    """Hands the certificate of a store over to targets, and knows how that went."""

    def __init__(
        self,
        folder: Folder,
        store: CertificateStore,
        targets: tuple[Target, ...],
        complaints: tuple[Complaint, ...] = (),
        *,
        now: Callable[[], datetime],
        chance: Callable[[], float] = random.random,
    ) -> None:
        """Begin with what the settings say; ``complaints`` are about tables that cannot be used."""
        self._folder = folder
        self._store = store
        self._targets = targets
        self._complaints = complaints
        self._now = now
        self._chance = chance
        self._wake = asyncio.Event()
        self._is_over = threading.Event()
        self._looked_at: set[str] = set()
        self._stamp = 0
        self._records: tuple[HandedOver, ...] = ()
        self._read()

    def handed_over(self) -> tuple[HandedOver, ...]:
        """Say how the last hand-over to each target went, in the order of the settings."""
        known = {one.target: one for one in self._records}
        return tuple(known[target.name] for target in self._targets if target.name in known)

    def notices(self) -> tuple[Notice, ...]:
        """Say what a person should know."""
        return notices_of(self._complaints, self.handed_over())

    def installed(self) -> None:
        """Note that there is a new certificate."""
        self._wake.set()

    async def run(self) -> None:
        """Work until cancelled; a hand-over that is under way then is broken off within a moment."""
        self._is_over.clear()
        try:
            while True:
                try:
                    await self._turn()
                except Exception:
                    log.exception("a turn of the hand-over failed")
                # Not wait_for, which loses a cancellation that comes together with what is waited for (until 3.12).
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(_GLANCE):
                        await self._wake.wait()
                self._wake.clear()
        finally:
            self._is_over.set()

    async def _turn(self) -> None:
        if self._folder.hand_over_stamp() != self._stamp:
            self._read()
        generation = self._store.generation
        if generation is None:
            return
        for target in self._targets:
            last, fingerprint = self._last(target), generation.installed.facts.fingerprint
            is_due = plan.is_due(target, fingerprint, last, self._now())
            # Each is looked at once after a start: what was done before may have been undone since.
            if not is_due and target.name in self._looked_at:
                continue
            try:
                material = await asyncio.to_thread(material_of, generation)
            except (Damaged, OSError) as error:
                log.warning("the certificate could not be read for the hand-over", detail=str(error))
                return
            if await self._hand_over(target, material, last, is_due=is_due):
                self._looked_at.add(target.name)

    async def _hand_over(self, target: Target, material: Material, last: HandedOver | None, *, is_due: bool) -> bool:
        way = HandOver(
            own_folder=self._folder.path,
            now=self._now(),
            was_done=last is not None and last.is_fine and not is_due,
            is_over=self._is_over.is_set,
        )
        try:
            ended = await asyncio.to_thread(hand_over, target, material, way)
        except AlreadyLocked:
            return False  # a command does it at this moment; its record is read with the next glance
        if self._is_over.is_set():
            return False
        outcome, failure = ended
        now = self._now()
        made = plan.record(target, material, (outcome, failure), last, now, self._chance)
        if made.is_fine and is_due:
            log.info("the certificate was handed over", target=target.name)
        self._remember(made, is_news=is_due or not made.is_fine)
        return True

    def _last(self, target: Target) -> HandedOver | None:
        return next((one for one in self._records if one.target == target.name), None)

    def _remember(self, made: HandedOver, *, is_news: bool) -> None:
        if not is_news:
            return  # nothing is written for what was known (F-13)
        self._records = (*(one for one in self._records if one.target != made.target), made)
        names = {target.name for target in self._targets}
        try:
            remember(self._folder, [one for one in self._records if one.target in names])
            self._stamp = self._folder.hand_over_stamp()
        except OSError as error:
            log.error("the result of a hand-over could not be kept", detail=str(error))

    def _read(self) -> None:
        self._stamp = self._folder.hand_over_stamp()
        self._records = from_records(self._folder.hand_over())


def remember(folder: Folder, records: Sequence[HandedOver]) -> None:
    """Write the records of all targets. Raises OSError."""
    folder.remember_hand_over({"targets": [to_record(one) for one in records]})
