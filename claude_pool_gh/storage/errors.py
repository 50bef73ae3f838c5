"""The errors of a database, under names that do not tell of the library behind it."""

from __future__ import annotations

from sqlalchemy.exc import InterfaceError, OperationalError, SQLAlchemyError

DatabaseError = SQLAlchemyError
"""Whatever a statement or a connection raises."""

UNREACHABLE = (InterfaceError, OperationalError)
"""The database cannot be reached, is locked, or has no room."""


def reason(error: SQLAlchemyError) -> str:
    """The database's own first sentence, without the statement and the library's links."""
    return str(getattr(error, "orig", None) or type(error).__name__).strip().partition("\n")[0]
