"""The database file of the service and its migrations: all that is special to SQLite is in this module.

WAL and ``synchronous=FULL``: what was committed survives a power cut, and readers never wait for the writer.
Transactions are begun explicitly (the ``sqlite3`` module would begin them late and commit before DDL); a writing
one takes the write lock at once, so that it cannot fail half-way on somebody else's.
"""

import json
import os
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

from sqlalchemy import (
    Column,
    ColumnElement,
    Connection,
    Engine,
    bindparam,
    create_engine,
    event,
    func,
    inspect,
    select,
    text,
)
from sqlalchemy.exc import DatabaseError, OperationalError
from sqlalchemy.pool import QueuePool

from lancert.kit.files import private_directory, write_private
from lancert.service.store.schema import HEAD, Json

DATABASE_FILE: Final = "service.sqlite"
BEGUN_FILE: Final = "database-begun.json"
"""Says that this folder has a database, so that its loss is noticed."""

_BUSY_MS: Final = 10_000
_MIGRATIONS = Path(__file__).parent / "migrations"
_READS = "lancert_reads"


class StoreUnavailable(OSError):
    """The database cannot be used right now: locked for too long, disk full, or damaged."""


class DatabaseLost(StoreUnavailable):
    """There was a database here, and it is gone; the text says what to do."""


def open_engine(folder: Path, *, may_begin_anew: bool = False) -> Engine:
    """Open the database of a folder, made for its owner alone, and bring it to the newest migration.

    A folder that has had one gets an empty one only when that is meant: a service that has forgotten everybody answers
    no name and refuses every box. Raises DatabaseLost, StoreUnavailable, or OSError when the folder cannot be used.
    """
    path = private_directory(folder) / DATABASE_FILE
    if not path.exists():
        _begin_anew(folder, may_begin_anew)
    # SQLite would make the file with the rights the umask leaves; its -wal and -shm files copy those of the file.
    os.close(os.open(path, os.O_RDWR | os.O_CREAT | getattr(os, "O_CLOEXEC", 0), 0o600))
    if os.name == "posix":
        path.chmod(0o600)
    engine = create_engine(
        f"sqlite:///{path}",
        poolclass=QueuePool,
        pool_size=4,
        connect_args={"check_same_thread": False, "timeout": _BUSY_MS / 1000, "cached_statements": 256},
    )
    event.listen(engine, "connect", _prepare)
    event.listen(engine, "begin", _begin)
    try:
        migrate(engine)
    except DatabaseError as error:
        engine.dispose()
        raise StoreUnavailable(f"{DATABASE_FILE} cannot be used: {error.orig}") from error
    if not (folder / BEGUN_FILE).exists():
        write_private(folder / BEGUN_FILE, json.dumps({"database": DATABASE_FILE}).encode() + b"\n")
    return engine


def had_database(folder: Path) -> bool:
    """Say whether a folder has, or once had, a database."""
    # A service that ran before there was this mark had a certificate of its own.
    return any((folder / name).exists() for name in (DATABASE_FILE, BEGUN_FILE, "https.pem"))


def _begin_anew(folder: Path, is_meant: bool) -> None:
    """Make way for an empty database. Raises DatabaseLost."""
    if had_database(folder) and not is_meant:
        raise DatabaseLost(
            f"{DATABASE_FILE} is gone from {folder}, and with it every tenant, IoT system and certificate. Put it back "
            "from the backup. To begin with an empty one on purpose, start once with: lancert service run --begin-anew"
        )
    # SQLite would take the log of the old database for one of the new.
    for rest in (f"{DATABASE_FILE}-wal", f"{DATABASE_FILE}-shm", f"{DATABASE_FILE}-journal"):
        if (folder / rest).exists():
            (folder / rest).replace(folder / f"set-aside-{rest}")


def _prepare(connection: sqlite3.Connection, record: Any) -> None:
    connection.isolation_level = None
    connection.execute("PRAGMA journal_mode=WAL")
    connection.execute("PRAGMA synchronous=FULL")
    connection.execute("PRAGMA foreign_keys=ON")
    connection.execute("PRAGMA temp_store=MEMORY")
    # A page that changes in many commits goes from the log to the file once in 16 MB, not once in 4.
    connection.execute("PRAGMA wal_autocheckpoint=4000")


def _begin(connection: Connection) -> None:
    reads = connection.get_execution_options().get(_READS, False)
    connection.exec_driver_sql("BEGIN" if reads else "BEGIN IMMEDIATE")


def among(column: Column[Any], name: str) -> ColumnElement[bool]:
    """Say that a column holds one of the texts of a parameter: one parameter however many, so one text of the SQL."""
    return column.in_(select(func.json_each(bindparam(name, type_=Json)).table_valued("value").c.value))


@contextmanager
def writing(engine: Engine) -> Iterator[Connection]:
    """Hold one transaction that may write; it is committed at the end or undone. Raises StoreUnavailable."""
    try:
        with engine.begin() as connection:
            yield connection
    except OperationalError as error:
        raise StoreUnavailable(str(error.orig)) from error


@contextmanager
def reading(engine: Engine) -> Iterator[Connection]:
    """Hold one transaction that only reads: a single state of the database. Raises StoreUnavailable."""
    try:
        with engine.connect().execution_options(**{_READS: True}) as connection, connection.begin():
            yield connection
    except OperationalError as error:
        raise StoreUnavailable(str(error.orig)) from error


@contextmanager
def transaction(folder: Path) -> Iterator[Connection]:
    """Hold one writing transaction on the database of a folder: for commands, beside a running service or not.

    Raises StoreUnavailable, or OSError when the folder cannot be used.
    """
    engine = open_engine(folder)
    try:
        with writing(engine) as connection:
            yield connection
    finally:
        engine.dispose()


def migrate(engine: Engine) -> None:
    """Bring the database to the newest migration; of two processes that try at once, one waits and finds it done."""
    with reading(engine) as connection:
        if _migration_of(connection) == HEAD:
            return
    with writing(engine) as connection:
        if _migration_of(connection) != HEAD:
            upgrade(connection)


def upgrade(connection: Connection, to: str = HEAD) -> None:
    """Run the migrations inside the transaction that is under way."""
    # Importing Alembic takes longer than most commands; it is needed once after an update.
    from alembic import command
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(_MIGRATIONS).replace("%", "%%"))
    config.attributes["connection"] = connection
    command.upgrade(config, to)


def _migration_of(connection: Connection) -> str | None:
    if not inspect(connection).has_table("alembic_version"):
        return None
    return connection.execute(text("SELECT version_num FROM alembic_version")).scalar()
