"""One box, its service and the true time, made of values, for years that pass in seconds (see ``faults.plan``).

The planner, the timekeeper and the books of the tries are the box's own; only disk, network and time are made here.
A rule that does not hold is ``Broken`` at the moment it is noticed.
"""

import random
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from hashlib import sha256

from lancert.box import plan, tries
from lancert.box.facts import BoxFacts, Enrolment, InstalledCertificate, LastTry, Ports, Server, StoredCertificate
from lancert.box.maintenance import Maintenance
from lancert.box.time import OFF_BY, Timekeeper
from lancert.kit.clock import SettableClock
from lancert.kit.secret import Secret
from lancert.protocol import problems
from lancert.protocol.certificate import CertificateFacts
from lancert.protocol.credential import Credential
from lancert.protocol.messages import Kind
from lancert.protocol.names import DEMO_ZONE, Label, certificate_names
from lancert.protocol.problems import Occurrence

START = datetime(2026, 11, 20, 9, 30, tzinfo=UTC)
SECOND, MINUTE, HOUR, DAY = timedelta(seconds=1), timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)
WHOLE_DAY = DAY + HOUR + 5 * MINUTE
"""A day with a night on which the clocks are put back, and a few glances."""

_LABEL = Label("k3v7q2m4x5a6b7c2")
_SERVER = Server(url="https://service.localhost")
_HANDSHAKE = timedelta(days=30)  # how far a clock may be off before TLS fails
_GLANCE = 2 * SECOND

Planner = Callable[[BoxFacts, datetime], plan.Step]


class Broken(AssertionError):
    """A rule does not hold."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Weather:
    """What the world is like: how often things happen in a year, and what certificates and settings are like."""

    life: timedelta = 45 * DAY
    window: tuple[float, float] | None = (2 / 3, 5 / 6)
    outages: float = 40.0
    longest_outage: timedelta = 25 * DAY
    steps: float = 6.0
    restarts: float = 12.0
    visits: float = 50.0
    maintenance: Maintenance | None = None


@dataclass(slots=True)
class Figures:
    """What happened."""

    years: float = 0.0
    tries: int = 0
    orders: int = 0
    early_orders: int = 0
    steps_of_the_clock: int = 0
    restarts: int = 0
    expired: int = 0

    def add(self, other: "Figures") -> None:
        """Count another box too."""
        for name in self.__dataclass_fields__:
            setattr(self, name, getattr(self, name) + getattr(other, name))


@dataclass
class World:
    """One box, its service and the true time. Every method is an event; ``run`` lets time pass."""

    chance: random.Random
    weather: Weather = field(default_factory=Weather)
    planner: Planner = plan.next_step
    true: datetime = START
    service: str = "willing"
    retry_after: str | None = None
    figures: Figures = field(default_factory=Figures)
    last_try: LastTry | None = None
    stored: InstalledCertificate | None = None
    was_asked: bool = False
    clock_was_set: bool = False
    proven: datetime | None = None
    last_tried_at: float | None = None
    fit_since: datetime | None = START
    whole_day_at: datetime | None = None
    steps_since_order: int = 0
    has_expired: bool = False
    next_report: float = 0.0

    def __post_init__(self) -> None:
        self.clock = SettableClock(self.true)
        self.keeper = Timekeeper(self.clock)

    # Events

    def serve(self, service: str, retry_after: str | None = None) -> None:
        """Have the service be willing, refusing, busy or away."""
        self._settle()
        self.service, self.retry_after = service, retry_after
        self._fitness()

    def step_clock(self, by: timedelta | None) -> None:
        """Set the clock of the box this far from the true time; None is 1970."""
        self._settle()
        self.clock.step(datetime(1970, 1, 1, tzinfo=UTC) if by is None else self.true + by)
        self.figures.steps_of_the_clock += 1
        self.steps_since_order += 1
        self._fitness()

    def restart(self) -> None:
        """Start the box anew: memory is lost, what is on the disk stays."""
        known = [moment for moment in (self.proven, self.stored and self.stored.facts.not_before) if moment]
        self.keeper = Timekeeper(self.clock, known)
        self.last_try = replace(self.last_try, next_at=None) if self.last_try else None
        self.clock_was_set, self.next_report, self.last_tried_at = False, 0.0, None
        self.steps_since_order += abs(self.clock.now() - self.true) > OFF_BY
        self.figures.restarts += 1

    def visit(self) -> None:
        """Open the homepage."""
        self.was_asked = True

    def run(self, until: datetime) -> None:
        """Let the box do what its planner says until this true moment."""
        while self.true < until:
            look = self.keeper.look()
            if look.jump:
                self.last_try = tries.moved(self.last_try, look.jump)
                self.clock_was_set = tries.failed_by_clock(self.last_try)
                self.next_report = 0.0
            if self.stored is not None and self.clock.monotonic() >= self.next_report:
                # A report, which the box sends each hour and at a start: its answer tells the time.
                self.next_report = self.clock.monotonic() + 3600
                self._learn_the_time()
                continue
            match self.planner(self._facts(), look.now):
                case plan.Load():
                    self._try()
                    self._pass(_GLANCE)
                case plan.Wait(until=moment, because=because):
                    if because is None:
                        self.was_asked = False
                    self._pass(min(max(moment - look.now, _GLANCE), until - self.true))
                case plan.Rest():
                    self._pass(until - self.true)

    # The box

    def _facts(self) -> BoxFacts:
        return replace(
            _CONNECTED,
            stored=StoredCertificate(usable=self.stored),
            last_try=self.last_try,
            was_asked=self.was_asked,
            clock_is_wrong=self.keeper.is_wrong,
            clock_was_set=self.clock_was_set,
            maintenance=self.weather.maintenance,
        )

    def _try(self) -> None:
        now, last = self.clock.monotonic(), self.last_tried_at
        least = plan.BETWEEN_TOLD_TRIES if self.clock_was_set else plan.BETWEEN_ASKED_TRIES
        # The Date of an answer has whole seconds, so a correction moves a wait by less than one.
        if last is not None and now - last < least.total_seconds() - 1.0:
            raise Broken(f"two tries within {now - last:.1f} s at {self.true}")
        self.last_tried_at, self.was_asked = now, False
        self.figures.tries += 1
        problem = self._answer()
        look = self.keeper.look()
        self.last_try = tries.moved(self.last_try, look.jump)
        if problem is None:
            assert self.stored is not None
            self.last_try = tries.after_installing(self.stored, look.now, self.chance.random)
        else:
            self.last_try = tries.after_failing(self.last_try, problem, self.retry_after, look.now, self.chance.random)
        self.clock_was_set = False

    def _answer(self) -> Occurrence | None:
        server = {"server": _SERVER.url}
        if self.service == "away":
            return Occurrence(problem=problems.LOAD_REQUEST_EXCEPTION, cause_id="timeout", facts=server)
        if not self._clock_will_do():
            return Occurrence(problem=problems.LOAD_REQUEST_EXCEPTION, cause_id="clock", facts=server)
        self._learn_the_time()
        if self.service == "busy":
            facts = {**server, "status": "503"}
            return Occurrence(problem=problems.LOAD_REQUEST_STATUS, cause_id="maintenance", facts=facts)
        if self.service == "refusing":
            return Occurrence(problem=problems.LOAD_REQUEST_NO_RESULT, cause_id="refused", facts=server)
        self._order()
        return None

    def _learn_the_time(self) -> None:
        if self.service != "away" and self._clock_will_do():
            self.proven = self.keeper.told(self.true.replace(microsecond=0)) or self.proven

    def _order(self) -> None:
        self.figures.orders += 1
        served = self.stored
        if served is not None and self.true < self._due(served) - OFF_BY - MINUTE:
            # Only a clock that was set may have had the box ask too early, and once each time.
            self.figures.early_orders += 1
            if self.steps_since_order == 0:
                raise Broken(f"an order at {self.true}, before the renewal from {self._due(served)}")
        begin, window = self.true - HOUR, self.weather.window or (2.0, 2.0)
        life = self.weather.life
        self.stored = InstalledCertificate(
            facts=CertificateFacts(
                names=_NAMES,
                not_before=begin,
                not_after=begin + life,
                serial="1a2b",
                fingerprint=sha256(self.chance.randbytes(8)).hexdigest(),
                issuer="CN=An authority",
            ),
            renewal_start=begin + life * window[0],
            renewal_end=begin + life * window[1],
        )
        self.keeper.certified(begin)
        self.steps_since_order, self.whole_day_at, self.has_expired = 0, None, False

    def _due(self, served: InstalledCertificate) -> datetime:
        """Give when the renewal of a certificate may begin, as the documentation says it."""
        if self.weather.window is not None:
            return served.renewal_start
        return served.facts.not_after - self.weather.life / (2 if self.weather.life < 10 * DAY else 3)

    # The true time

    def _pass(self, by: timedelta) -> None:
        self.clock.forward(by)
        self.true += by
        self._settle()

    def _clock_will_do(self) -> bool:
        return abs(self.clock.now() - self.true) < _HANDSHAKE

    def _fitness(self) -> None:
        """Note since when nothing stands in the way of a certificate."""
        fit = self.service == "willing" and self._clock_will_do()
        self.fit_since = (self.fit_since or self.true) if fit else None

    def _settle(self) -> None:
        """Hold the first rule up to now: a whole fit day of the last third is remembered until the expiry."""
        if self.stored is None:
            return
        expiry = self.stored.facts.not_after
        third = expiry - self.stored.facts.life / 3
        if self.fit_since is not None and self.whole_day_at is None:
            begin = max(self.fit_since, third)
            if min(self.true, expiry) - begin >= min(WHOLE_DAY, self.stored.facts.life / 6):
                self.whole_day_at = begin
        if self.true > expiry and not self.has_expired:
            self.has_expired = True
            self.figures.expired += 1
            if self.whole_day_at is not None:
                raise Broken(f"expired at {expiry}, fit for a whole day from {self.whole_day_at}")


_NAMES = certificate_names(_LABEL, DEMO_ZONE)
_CONNECTED = BoxFacts(
    name="Shop",
    kind=Kind.BOX,
    ports=Ports(http=80, https=443),
    server=_SERVER,
    credential=Credential(contract=Secret("M1"), database=Secret("d")),
    enrolment=Enrolment(box="box-1", label=_LABEL, zone=DEMO_ZONE),
)
