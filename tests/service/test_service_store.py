"""The store: durable before it answers, one failing unit hurts nobody, and the migrations are the schema."""

import asyncio
import multiprocessing
import os
import signal
import sqlite3
import stat
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, Engine, event, select
from sqlalchemy.exc import IntegrityError
from tests.service.harness import add_customer

from lancert.service.model import Tenant, TenantId
from lancert.service.store import engine as engine_module
from lancert.service.store.engine import DATABASE_FILE, StoreUnavailable, open_engine, reading, transaction, writing
from lancert.service.store.schema import HEAD, metadata, tenants
from lancert.service.store.tenants import find_tenant, insert_tenant, list_tenants
from lancert.service.store.writer import Store

pytestmark = pytest.mark.anyio


@pytest.fixture
def anyio_backend() -> str:
    """The service runs on asyncio."""
    return "asyncio"


@pytest.fixture
def engine(tmp_path: Path) -> Engine:
    """A fresh database."""
    return open_engine(tmp_path)


@pytest.fixture
async def store(engine: Engine) -> AsyncIterator[Store]:
    """A store over it."""
    made = Store(engine)
    yield made
    await made.close()


def add(name: str) -> "Adds":
    """A unit of work that adds a tenant."""
    return Adds(name)


class Adds:
    """Adds one tenant."""

    def __init__(self, name: str) -> None:
        self._tenant = Tenant(id=TenantId(name), name=name)

    def __call__(self, connection: Connection) -> str:
        insert_tenant(connection, self._tenant)
        return self._tenant.id


def names_on_disk(folder: Path) -> list[str]:
    """What another connection sees: what was committed."""
    with sqlite3.connect(folder / DATABASE_FILE) as other:
        found = [name for (name,) in other.execute("SELECT id FROM tenants ORDER BY id")]
    other.close()
    return found


def test_the_migrations_make_exactly_the_schema(engine: Engine) -> None:
    """A fresh database, built by the migrations, differs in nothing from what the code expects."""
    with reading(engine) as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True, "compare_server_default": True})

        assert compare_metadata(context, metadata) == []


def test_the_newest_migration_is_the_one_the_service_asks_for() -> None:
    """Adding a migration and forgetting the number would leave databases behind."""
    scripts = ScriptDirectory(str(Path(engine_module.__file__).parent / "migrations"))

    assert scripts.get_heads() == [HEAD]


def test_opening_again_changes_nothing(engine: Engine, tmp_path: Path) -> None:
    """What is there stays there."""
    with writing(engine) as connection:
        add("shop")(connection)
    engine.dispose()
    again = open_engine(tmp_path)

    with reading(again) as connection:
        assert find_tenant(connection, TenantId("shop")) is not None
    again.dispose()


def _open(folder: Path, done: "multiprocessing.queues.Queue[str]") -> None:
    with transaction(folder) as connection:
        done.put(str(len(list_tenants(connection))))


def test_two_processes_that_open_a_new_database_at_once_both_get_it(tmp_path: Path) -> None:
    """One of them migrates, the other waits and finds it done."""
    context = multiprocessing.get_context("spawn")
    done = context.Queue()
    processes = [context.Process(target=_open, args=(tmp_path, done)) for _ in range(2)]
    for process in processes:
        process.start()

    assert [done.get(timeout=60) for _ in processes] == ["0", "0"]
    for process in processes:
        process.join(60)
        assert process.exitcode == 0


def test_the_database_is_its_owners_alone(engine: Engine, tmp_path: Path) -> None:
    """Everything in it is private, the log files of the database too."""
    with writing(engine) as connection:
        add("shop")(connection)
        files = [path for path in tmp_path.iterdir() if path.name.startswith(DATABASE_FILE)]

        assert len(files) == 3
        assert {stat.S_IMODE(path.stat().st_mode) for path in files} == {0o600}
        assert stat.S_IMODE(tmp_path.stat().st_mode) == 0o700


def test_every_commit_reaches_the_disk(engine: Engine) -> None:
    """The database waits for the disk at each commit; a power cut loses nothing that was answered."""
    with reading(engine) as connection:
        assert connection.exec_driver_sql("PRAGMA synchronous").scalar() == 2  # FULL
        assert connection.exec_driver_sql("PRAGMA journal_mode").scalar() == "wal"
        assert connection.exec_driver_sql("PRAGMA foreign_keys").scalar() == 1


async def test_a_result_is_given_after_the_commit(store: Store, tmp_path: Path) -> None:
    """Whoever was answered finds it on the disk, seen from another connection."""
    for number in range(20):
        name = await store.write(add(f"t{number:02}"))

        assert name in names_on_disk(tmp_path)


async def test_units_that_wait_together_are_committed_together(store: Store, engine: Engine, tmp_path: Path) -> None:
    """A hundred writers cost a handful of commits, and each result is durable when it is given."""
    durable: list[bool] = []

    async def one(number: int) -> None:
        name = await store.write(add(f"t{number:03}"))
        durable.append(name in await asyncio.to_thread(names_on_disk, tmp_path))

    await asyncio.gather(*(one(number) for number in range(100)))

    assert durable == [True] * 100
    assert store.commits < 50


async def test_a_unit_that_fails_takes_nobody_with_it(store: Store, tmp_path: Path) -> None:
    """Its own changes are undone, the others of the same commit stay."""

    def add_and_fail(connection: Connection) -> None:
        add("half")(connection)
        raise KeyError("half way")

    results = await asyncio.gather(
        *(store.write(add(f"t{number}")) for number in range(10)),
        store.write(add_and_fail),
        store.write(add("t3")),
        return_exceptions=True,
    )

    assert results[:10] == [f"t{number}" for number in range(10)]
    assert isinstance(results[10], KeyError)
    assert isinstance(results[11], IntegrityError)
    assert names_on_disk(tmp_path) == [f"t{number}" for number in range(10)]


async def test_a_unit_alone_that_fails_is_undone(store: Store, tmp_path: Path) -> None:
    """Without company it is the transaction itself that is undone."""

    def add_and_fail(connection: Connection) -> None:
        add("half")(connection)
        raise KeyError("half way")

    with pytest.raises(KeyError):
        await store.write(add_and_fail)
    await store.write(add("whole"))

    assert names_on_disk(tmp_path) == ["whole"]


async def test_when_the_commit_fails_everybody_is_told(store: Store, engine: Engine, tmp_path: Path) -> None:
    """A commit that did not happen is no success for anybody, and the store goes on afterwards."""
    refuse = True

    def no_commit(connection: Connection) -> None:
        if refuse:
            raise sqlite3.OperationalError("database or disk is full")

    event.listen(engine, "commit", no_commit)
    results = await asyncio.gather(*(store.write(add(f"t{n}")) for n in range(5)), return_exceptions=True)
    refuse = False
    await store.write(add("later"))

    assert [type(result) for result in results] == [StoreUnavailable] * 5
    assert names_on_disk(tmp_path) == ["later"]


async def test_what_waits_is_finished_before_the_store_closes(engine: Engine, tmp_path: Path) -> None:
    """Closing loses nothing that was accepted, and accepts nothing more."""
    store = Store(engine)
    waiting = [asyncio.create_task(store.write(add(f"t{number}"))) for number in range(20)]
    await asyncio.sleep(0)
    await store.close()

    assert len(await asyncio.gather(*waiting)) == 20
    with pytest.raises(StoreUnavailable):
        await store.write(add("late"))


async def test_reads_see_one_state_and_do_not_wait_for_the_writer(store: Store) -> None:
    """A reader is answered while a writer holds its transaction open."""
    await store.write(add("before"))
    reading_done = asyncio.Event()
    loop = asyncio.get_running_loop()

    def slow(connection: Connection) -> None:
        add("during")(connection)
        asyncio.run_coroutine_threadsafe(reading_done.wait(), loop).result(20)

    writing_task = asyncio.create_task(store.write(slow))
    await asyncio.sleep(0)
    seen = await store.read(lambda connection: [one.id for one in list_tenants(connection)])
    reading_done.set()
    await writing_task

    assert seen == ["before"]


def _write_and_die(folder: Path) -> None:
    engine = open_engine(folder)
    with writing(engine) as connection:
        add("committed")(connection)
    with writing(engine) as connection:
        add("not committed")(connection)
        os.kill(os.getpid(), signal.SIGKILL)


def test_a_killed_process_leaves_what_was_committed_and_nothing_else(tmp_path: Path) -> None:
    """kill -9 in the middle of a transaction: the next one finds the state before it."""
    process = multiprocessing.get_context("spawn").Process(target=_write_and_die, args=(tmp_path,))
    process.start()
    process.join(60)

    assert process.exitcode == -signal.SIGKILL
    assert names_on_disk(tmp_path) == ["committed"]


def test_a_command_beside_the_service_waits_for_its_turn(tmp_path: Path) -> None:
    """Two writers on one file take turns; neither fails."""
    with transaction(tmp_path) as connection:
        add_customer(connection, "one")
    with transaction(tmp_path) as connection:
        add_customer(connection, "two")

        assert connection.execute(select(tenants.c.id).order_by(tenants.c.id)).scalars().all() == ["one", "two"]


def test_a_file_that_is_no_database_is_said_to_be_none(tmp_path: Path) -> None:
    """A damaged file is named, and not overwritten."""
    (tmp_path / DATABASE_FILE).write_bytes(b"this is not a database, it is a letter" * 100)

    with pytest.raises(StoreUnavailable, match=DATABASE_FILE):
        open_engine(tmp_path)
    assert (tmp_path / DATABASE_FILE).read_bytes().startswith(b"this is not")
