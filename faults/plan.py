"""Simulated years around the pure planner: outages, refusals, wrong and stepping clocks, restarts, Retry-After.

The planner is the box's own; the world around it is ``faults._world``. Three rules are held: no certificate expires
while the service was reachable and willing for a whole day of its last third; never more than one order per renewal;
never two tries within the least distance. The controls are three planners that break one rule each.

    python -m faults.plan --years 1000 --seed 1
"""

import argparse
import random
import time
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta, tzinfo
from datetime import time as time_of_day
from email.utils import format_datetime
from zoneinfo import ZoneInfo

from faults._table import Row
from faults._world import DAY, HOUR, MINUTE, START, Broken, Figures, Planner, Weather, World
from lancert.box import plan
from lancert.box.facts import BoxFacts
from lancert.box.maintenance import Maintenance


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
    if not any(rates):
        world.run(end)
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


YEARS = 200

CONTROLS: tuple[Planner, ...] = (naive_planner, hot_planner, eager_planner)


def rows() -> list[Row]:
    """Give the table of ``make faults``: box-years for the planner, and the controls that must be caught."""
    found = [_row(f"control: {control.__name__}", 50, control) for control in CONTROLS]
    return [_row("three rules over box-years", YEARS, plan.next_step), *found]


def _row(case: str, years: int, planner: Planner) -> Row:
    is_control = planner is not plan.next_step
    at_least = 1 if is_control else years
    try:
        figures = live_many(1, years, planner=planner)
    except Broken as broken:
        found = "" if is_control else str(broken)
        return Row(case=case, states=years, broken=1, at_least=at_least, is_control=is_control, found=found)
    found = f"{figures.orders} orders, {figures.tries} tries, {figures.steps_of_the_clock} steps of the clock"
    return Row(case=case, states=years, broken=0, at_least=at_least, is_control=is_control, found=found)


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
