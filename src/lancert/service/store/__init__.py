"""What the service remembers: one database, spoken to in SQL here and nowhere else.

``schema`` holds the tables, ``engine`` everything that differs between databases, ``writer`` the one thread that
writes; every other module is plain functions over a ``Connection`` about one subject. The functions neither begin
nor commit: a unit of work is put together by the caller.
"""

from sqlalchemy import Connection

__all__ = ["Connection"]
