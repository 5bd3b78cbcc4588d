"""The one thread that writes, with group commit: what waits is written together and committed once.

A unit of work is a function over a ``Connection``. Units that wait at the same moment share one transaction, each
behind a savepoint, so that one that fails takes nobody with it. Their results are given out after the commit:
nothing is answered before it is on the disk. Reads have threads of their own and never wait for the writer.
"""

import asyncio
import queue
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, Final, TypeVar

from sqlalchemy import Connection, Engine
from sqlalchemy.exc import OperationalError

from lancert.service.store.engine import StoreUnavailable, reading

Result = TypeVar("Result")

_MOST_TOGETHER: Final = 256
_READERS: Final = 2


@dataclass(frozen=True, slots=True)
class _Unit:
    work: Callable[[Connection], Any]
    future: asyncio.Future[Any]


@dataclass(frozen=True, slots=True)
class _Outcome:
    unit: _Unit
    result: Any = None
    error: Exception | None = None


class Store:
    """The database of a running service; close it from the same event loop."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._waiting: queue.SimpleQueue[_Unit | None] = queue.SimpleQueue()
        self._readers = ThreadPoolExecutor(_READERS, thread_name_prefix="store-read")
        self._writer = threading.Thread(target=self._write_forever, name="store-write", daemon=True)
        self._is_closed = False
        self.commits = 0
        """How many transactions were committed since the start."""
        self._writer.start()

    async def write(self, work: Callable[[Connection], Result]) -> Result:
        """Run a unit of work and give its result once it is durable.

        Raises what the work raises, after undoing it; StoreUnavailable when the database cannot be written.
        """
        if self._is_closed:
            raise StoreUnavailable("the store is closed")
        future: asyncio.Future[Result] = asyncio.get_running_loop().create_future()
        self._waiting.put(_Unit(work, future))
        return await future

    async def read(self, work: Callable[[Connection], Result]) -> Result:
        """Run a function over one state of the database. Raises StoreUnavailable."""
        return await asyncio.get_running_loop().run_in_executor(self._readers, self._read, work)

    async def close(self) -> None:
        """Finish what waits, then close the database."""
        if self._is_closed:
            return
        self._is_closed = True
        self._waiting.put(None)
        await asyncio.to_thread(self._writer.join)
        self._readers.shutdown()
        self._engine.dispose()

    def _read(self, work: Callable[[Connection], Result]) -> Result:
        with reading(self._engine) as connection:
            return work(connection)

    def _write_forever(self) -> None:
        connection: Connection | None = None
        is_last = False
        while not is_last:
            units, is_last = self._take()
            if not units:
                continue
            try:
                connection = self._engine.connect() if connection is None else connection
                outcomes = _run(connection, units)
                self.commits += 1
            except Exception as error:
                # Whatever it was, nothing of this transaction is durable, and everybody who waits is told so.
                outcomes = [_Outcome(unit, error=_unavailable(error)) for unit in units]
                if connection is not None:
                    connection.invalidate()
                    connection.close()
                    connection = None
            _give_out(outcomes)
        if connection is not None:
            connection.close()

    def _take(self) -> tuple[list[_Unit], bool]:
        """Wait for one unit and take those that wait with it; the flag says that the store is being closed."""
        units: list[_Unit] = []
        unit = self._waiting.get()
        while unit is not None:
            units.append(unit)
            if len(units) == _MOST_TOGETHER:
                return units, False
            try:
                unit = self._waiting.get_nowait()
            except queue.Empty:
                return units, False
        return units, True


def _run(connection: Connection, units: Sequence[_Unit]) -> list[_Outcome]:
    """Run units in one transaction. Raises when none of them is committed."""
    if len(units) == 1:
        return [_run_alone(connection, units[0])]
    with connection.begin():
        return [_run_behind_savepoint(connection, unit) for unit in units]


def _run_alone(connection: Connection, unit: _Unit) -> _Outcome:
    try:
        with connection.begin():
            return _Outcome(unit, unit.work(connection))
    except OperationalError:
        raise
    except Exception as error:
        return _Outcome(unit, error=error)


def _run_behind_savepoint(connection: Connection, unit: _Unit) -> _Outcome:
    try:
        with connection.begin_nested():
            return _Outcome(unit, unit.work(connection))
    except OperationalError as error:
        return _Outcome(unit, error=_unavailable(error))
    except Exception as error:
        return _Outcome(unit, error=error)


def _unavailable(error: Exception) -> StoreUnavailable:
    made = StoreUnavailable(str(error.orig) if isinstance(error, OperationalError) else type(error).__name__)
    made.__cause__ = error
    return made


def _give_out(outcomes: Sequence[_Outcome]) -> None:
    """Hand results to the event loops that wait for them: one call for each loop, since waking one is dear."""
    by_loop: dict[asyncio.AbstractEventLoop, list[_Outcome]] = {}
    for outcome in outcomes:
        by_loop.setdefault(outcome.unit.future.get_loop(), []).append(outcome)
    for loop, its in by_loop.items():
        try:
            loop.call_soon_threadsafe(_resolve, its)
        except RuntimeError:
            continue  # the loop was closed: nobody waits any more


def _resolve(outcomes: Sequence[_Outcome]) -> None:
    for outcome in outcomes:
        future = outcome.unit.future
        if future.done():
            continue
        if outcome.error is not None:
            future.set_exception(outcome.error)
        else:
            future.set_result(outcome.result)
