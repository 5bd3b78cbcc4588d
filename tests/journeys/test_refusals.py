"""The service refuses: each criterion by its true trigger, several at once, and how a refusal ends."""

import json
import shutil
import sqlite3
import time
from collections.abc import Callable
from contextlib import closing
from functools import partial
from html import unescape
from typing import Any

import pytest
from tests.journeys.world import Box, Service, Shop, lancert, until

NO_RESULT = "ERR_IOT_HTTPS_LOAD_REQUEST_NO_RESULT"


def refused_for(box: Box, *criteria: str) -> dict[str, Any]:
    """The box shows exactly these criteria, each with its sentence, on the homepage too."""
    problem = box.until_problem(NO_RESULT, "refused")
    assert [reason["criterion"] for reason in problem["reasons"]] == list(criteria)
    _, home = box.get("/")
    for reason in problem["reasons"]:
        assert reason["meaning"] in unescape(home)
        assert "{" not in reason["meaning"]
    return problem


@pytest.mark.promise("M4", "M17")
@pytest.mark.parametrize("environment", ["copy", "duplicate", "staging", "development"])
def test_a_database_that_is_not_in_production_is_refused_and_told_so(
    service: Service, new_box: Callable[[], Box], environment: str
) -> None:
    """The reason names the environment."""
    box = new_box().connect(service.shop(environment=environment)).start()

    problem = refused_for(box, "database-not-production")

    assert environment in problem["reasons"][0]["meaning"]


@pytest.mark.promise("M5", "M17")
@pytest.mark.parametrize("status", ["draft", "paused", "closed"])
def test_a_subscription_that_is_not_in_progress_is_refused(
    service: Service, new_box: Callable[[], Box], status: str
) -> None:
    """The reason names the status."""
    box = new_box().connect(service.shop(status=status)).start()

    assert status in refused_for(box, "subscription-not-in-progress")["reasons"][0]["meaning"]


@pytest.mark.promise("M5", "M17")
def test_a_subscription_without_an_iot_box_line_is_refused(service: Service, new_box: Callable[[], Box]) -> None:
    """In progress is not enough."""
    box = new_box().connect(service.shop(quantity=None)).start()

    refused_for(box, "no-iot-box-line")


@pytest.mark.promise("M17")
def test_the_box_beyond_the_quantity_is_refused_and_the_first_one_stays(
    service: Service, new_box: Callable[[], Box]
) -> None:
    """One seat, two boxes."""
    shop = service.shop(quantity=1)
    first = new_box().connect(shop).start()
    first.until_state("secure")

    second = new_box().connect(shop).start()

    assert "1" in refused_for(second, "no-seat-left")["reasons"][0]["meaning"]
    assert first.status()["state"] == "secure"


@pytest.mark.promise("M17")
def test_an_unknown_credential_is_refused(service: Service, new_box: Callable[[], Box]) -> None:
    """The same answer for an unknown contract, an unknown database, and a pair of two customers (S-39)."""
    one, other = service.shop(), service.shop()
    pairs = [(one.contract, other.database), ("M-unknown", one.database), (one.contract, None)]

    for contract, database in pairs:
        box = new_box().connect_to(service.url, service.root, contract=contract, database=database).start()
        refused_for(box, "credential-not-recognised")


@pytest.mark.promise("M17")
def test_a_suspended_box_is_refused_and_keeps_what_it_has(service: Service, new_box: Callable[[], Box]) -> None:
    """Suspension stops renewals; the certificate that works is not taken away."""
    box = new_box().connect(service.shop()).start()
    name = box.until_state("secure")["certificate"]["names"][1]
    label = name.split(".")[0]
    service.admin("box", "suspend", label)

    lancert("box", "renew", "--folder", str(box.folder))

    refused_for(box, "iot-system-suspended")
    assert box.status()["state"] == "attention"
    service.admin("box", "resume", label)


@pytest.mark.promise("M4", "M5", "M17")
def test_every_unmet_criterion_is_named_at_once(service: Service, new_box: Callable[[], Box]) -> None:
    """Nobody has to come back for the next reason."""
    box = new_box().connect(service.shop(environment="staging", status="paused", quantity=None)).start()

    refused_for(box, "database-not-production", "subscription-not-in-progress", "no-iot-box-line")


def _add_line(service: Service, shop: Shop) -> None:
    service.admin("subscription", "set", shop.subscription, "--line", "iot-box=1")


@pytest.mark.promise("M8")
def test_a_line_added_later_is_picked_up_by_restarting(service: Service, new_box: Callable[[], Box]) -> None:
    """The remedy of the product page works."""
    shop = service.shop(quantity=None)
    box = new_box().connect(shop).start()
    refused_for(box, "no-iot-box-line")
    _add_line(service, shop)

    box.restart()

    assert box.until_state("secure")["problems"] == []


@pytest.mark.promise("M8", "M11")
@pytest.mark.timeout(180)
def test_a_line_added_later_is_picked_up_by_opening_the_homepage(service: Service, new_box: Callable[[], Box]) -> None:
    """The other remedy works too, and however often the page is opened, tries are a minute apart (S-26, F-62)."""
    shop = service.shop(quantity=None)
    box = new_box().connect(shop).start()
    refused_for(box, "no-iot-box-line")
    began = time.monotonic()
    _add_line(service, shop)

    def opened_until_secure() -> bool:
        box.get("/")
        return bool(box.status()["state"] == "secure")

    until(opened_until_secure, "the certificate after opening the homepage", 90)

    assert time.monotonic() - began > 50
    assert box.tries() == 2


@pytest.mark.promise("M17")
def test_a_duplicated_database_is_refused(service: Service, new_box: Callable[[], Box]) -> None:
    """The operator marked the database as announced from two places; only one of them may stay."""
    shop = service.shop()
    service.admin("database", "set", shop.database, "--duplicated")
    box = new_box().connect(shop).start()

    refused_for(box, "database-duplicated")


@pytest.mark.promise("M17")
def test_a_copied_identity_is_refused(service: Service, new_box: Callable[[], Box]) -> None:
    """A memory card was cloned and both systems run: both are refused from then on, and keep what they have (T-06)."""
    shop = service.shop()
    box = new_box().connect(shop).start()
    label = box.until_state("secure")["certificate"]["names"][1].split(".")[0]
    until(lambda: service.admin("box", "show", label)["addresses"], "the first report")
    copy = new_box()
    shutil.copytree(
        box.folder, copy.folder, ignore=shutil.ignore_patterns("listening.json", "lock"), dirs_exist_ok=True
    )
    copy.start()
    until(lambda: _boot(service, label) > _boot_of(box), "a request of the copy")

    for _ in range(2):
        tries = box.tries()
        lancert("box", "renew", "--folder", str(box.folder))
        until(partial(_tried_again, box, tries), "another try of the original")
    lancert("box", "renew", "--folder", str(copy.folder))

    refused_for(copy, "identity-conflict")
    assert [one.status()["state"] for one in (box, copy)] == ["attention", "attention"]


def _tried_again(box: Box, tries: int) -> bool:
    return box.tries() > tries


def _boot(service: Service, label: str) -> int:
    with closing(sqlite3.connect(f"file:{service.folder / 'service.sqlite'}?mode=ro", uri=True)) as database:
        return int(database.execute("SELECT boot FROM boxes WHERE label = ?", (label,)).fetchone()[0])


def _boot_of(box: Box) -> int:
    return int(json.loads((box.folder / "boot.json").read_text())["boot"])
