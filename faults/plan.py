"""Simulated years around the pure planner: outages, refusals, wrong and stepping clocks, restarts, Retry-After.

The planner, the timekeeper and the books of the tries are the box's own; only disk, network and time are made of
values. Three rules are held: no certificate expires while the service was reachable and willing for a whole day of
its last third; never more than one order per renewal; never two tries within the least distance. The positive
control is a planner that looks once a day and does not retry, which must be caught.

    python -m faults.plan --years 1000 --seed 1
"""

import argparse
import random
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta, tzinfo
from datetime import time as time_of_day
from email.utils import format_datetime
from hashlib import sha256
from zoneinfo import ZoneInfo

from faults._table import Row
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


def naive_planner(facts: BoxFacts, now: datetime) -> plan.Step:
    """Look once a day and do not retry, as a cron job does: the positive control."""
    last = facts.last_try
    if last is not None and last.at <= now < last.at + 30 * DAY:
        return plan.Wait(until=now + DAY)
    installed = facts.stored.usable
    if installed is None or installed.facts.not_after - now < 10 * DAY:
        return plan.Load(because="the daily look")
    return plan.Wait(until=now + DAY)


def hot_planner(facts: BoxFacts, now: datetime) -> plan.Step:
    """Try whenever a certificate is needed: a control for the least distance."""
    need = plan.reason_to_load(facts, now)
    return plan.Load(because=need) if need else plan.Wait(until=now + HOUR)


def eager_planner(facts: BoxFacts, now: datetime) -> plan.Step:
    """Ask for a new certificate every day: a control for the one order."""
    step, last = plan.next_step(facts, now), facts.last_try
    if last is not None and last.at < now - DAY:
        return plan.Load(because="a day has passed")
    return step


def live(world: World, years: float) -> Figures:
    """Live through so many years of weather. Raises Broken."""
    chance, weather = world.chance, world.weather
    rates = (weather.outages, weather.steps, weather.restarts, weather.visits)
    end = world.true + 365.25 * DAY * years
    began = world.true
    clock_heals: datetime | None = None
    while world.true < end:
        pause = 365.25 * DAY * chance.expovariate(sum(rates))
        until = min(world.true + pause, end)
        if clock_heals is not None and clock_heals <= until:
            world.run(clock_heals)
            world.step_clock(timedelta(0))
            clock_heals = None
            continue
        world.run(until)
        match chance.choices(("service", "step", "restart", "visit"), rates)[0]:
            case "service":
                if world.service == "willing" or chance.random() < 0.5:
                    world.serve(*_trouble(chance))
                    if chance.random() < 0.5:
                        world.run(min(end, world.true + weather.longest_outage * chance.random() ** 3))
                        world.serve("willing")
                else:
                    world.serve("willing")
            case "step":
                world.step_clock(chance.choice(_STEPS))
                clock_heals = world.true + DAY * 20 * chance.random() ** 4
            case "restart":
                world.restart()
            case "visit":
                world.visit()
    world.figures.years += (world.true - began) / timedelta(days=365.25)
    return world.figures


_STEPS = (None, -48 * HOUR, -HOUR, HOUR, 5 * MINUTE, 20 * DAY, -20 * DAY, 20 * 365 * DAY, -365 * DAY)


def _trouble(chance: random.Random) -> tuple[str, str | None]:
    service = chance.choice(("away", "busy", "busy", "refusing"))
    headers = (None, "0", "5", "120", "3600", "86400", "31536000", "nonsense", "-1", format_datetime(START + 400 * DAY))
    return service, chance.choice(headers) if service == "busy" else None


def some_weather(chance: random.Random) -> Weather:
    """Draw what the world of one box is like."""
    zones: Sequence[tzinfo] = (UTC, ZoneInfo("Pacific/Kiritimati"), ZoneInfo("America/New_York"))
    night = Maintenance(begin=time_of_day(2), end=time_of_day(5), zone=chance.choice(zones))
    return Weather(
        life=chance.choice((45 * DAY, 45 * DAY, 90 * DAY, 160 * HOUR)),
        window=chance.choice(((2 / 3, 5 / 6), (2 / 3, 5 / 6), (0.5, 0.6), None)),
        outages=chance.choice((0.0, 10.0, 60.0)),
        steps=chance.choice((0.0, 0.0, 10.0, 100.0)),
        restarts=chance.choice((0.0, 10.0, 300.0)),
        visits=chance.choice((0.0, 100.0)),
        maintenance=chance.choice((None, night)),
    )


def live_many(seed: int, years: float, *, each: float = 5.0, planner: Planner = plan.next_step) -> Figures:
    """Live through the years, five for each box with a weather of its own. Raises Broken, with the seed of the box."""
    total = Figures()
    number = 0
    while total.years < years - 0.01:
        chance = random.Random(f"{seed}/{number}")
        world = World(chance=chance, weather=some_weather(chance), planner=planner)
        try:
            total.add(live(world, min(each, years - total.years)))
        except Broken as broken:
            raise Broken(f"box {number} of seed {seed}, {world.weather}: {broken}") from None
        number += 1
    return total


CONTROLS: tuple[Planner, ...] = (naive_planner, hot_planner, eager_planner)


def rows() -> list[Row]:
    """Give the table of ``make faults``: box-years for the planner, and the controls that must be caught."""
    found = [
        Row(case=f"control: {control.__name__}", states=50, broken=_broken(50.0, control), is_control=True)
        for control in CONTROLS
    ]
    return [Row(case="three rules over box-years", states=500, broken=_broken(500.0), at_least=500), *found]


def _broken(years: float, planner: Planner = plan.next_step) -> int:
    try:
        live_many(1, years, planner=planner)
    except Broken:
        return 1
    return 0


def main(arguments: Sequence[str] | None = None) -> int:
    """Print the figures of many years, after the positive control."""
    parser = argparse.ArgumentParser(description="simulated years around the planner")
    parser.add_argument("--years", type=float, default=200.0)
    parser.add_argument("--seed", type=int, default=1)
    asked = parser.parse_args(arguments)
    for control in CONTROLS:
        try:
            live_many(asked.seed, 50.0, planner=control)
        except Broken as broken:
            print(f"control {control.__name__} caught: {broken}")
        else:
            print(f"control {control.__name__} NOT caught")
            return 1
    began = time.monotonic()
    try:
        figures = live_many(asked.seed, asked.years)
    except Broken as broken:
        print(f"BROKEN: {broken}")
        return 1
    print(f"plan: {figures.years:.0f} box-years in {time.monotonic() - began:.1f} s, 0 rules broken")
    print(f"  {figures}")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
