"""One statement for many rows, without paying for each of them.

SQLAlchemy works out every parameter of every row; with the statements of the hot path that costs more than the database
itself. Here a statement becomes text once, and rows are tuples of what the columns keep.
"""

from collections.abc import Sequence
from functools import lru_cache
from operator import itemgetter
from typing import Any

from sqlalchemy import Connection, UpdateBase
from sqlalchemy.engine import Dialect
from sqlalchemy.sql.compiler import SQLCompiler


class ForMany:
    """A writing statement that is run for many rows; ``names`` are its parameters, in the order of a row."""

    def __init__(self, statement: UpdateBase, *names: str) -> None:
        self._statement = statement
        self._names = names

    def run(self, connection: Connection, rows: Sequence[tuple[Any, ...]]) -> None:
        """Run it for each row; moments are whole seconds since 1970 here."""
        if rows:
            text, in_order = _written(self, connection.dialect)
            connection.exec_driver_sql(text, list(map(in_order, rows)))

    def written(self, dialect: Dialect) -> tuple[str, Any]:
        """Give the text of the statement, and what brings a row into the order of its parameters."""
        compiled = self._statement.compile(dialect=dialect, column_keys=self._names)
        assert isinstance(compiled, SQLCompiler) and compiled.positiontup is not None
        return str(compiled), itemgetter(*map(self._names.index, compiled.positiontup))


@lru_cache(maxsize=64)
def _written(statement: ForMany, dialect: Dialect) -> tuple[str, Any]:
    return statement.written(dialect)
