"""What a source does wrong, told apart from what the warehouse does."""

from collections.abc import Iterator
from contextlib import contextmanager

import psycopg

from flows.errors import DwhHelperError, Forbidden, Interrupted, VendorFailed
from flows.patience import passes
from flows.warehouse.connection import describe


class SourceTrouble(Exception):
    """The source broke off or cannot be reached. error: its own; told to people by `as_error`."""

    def __init__(self, source: str, error: psycopg.Error) -> None:
        super().__init__(describe(error, f"the {source} database"))
        self.source = source
        self.error = error

    @property
    def passes(self) -> bool:
        """Whether it is likely gone in some seconds."""
        return passes(self.error)

    def as_error(self) -> DwhHelperError:
        """What the caller may do about it."""
        state = self.error.sqlstate or ""
        # Refusals at the start of a session have no SQLSTATE here, only these words.
        is_refused = state[:2] in ("28", "3D") or state in ("42501", "3F000")
        if is_refused or (not state and "FATAL:" in str(self.error) and not self.passes):
            return Forbidden(
                f"{self}. Look at {self.source.upper()}_DATABASE_URL and at the rights of its user:"
                " it needs to connect and to select from the table",
                vendor=self.source,
            )
        if isinstance(self.error, psycopg.DataError):
            return Interrupted(
                f"{self.source}: a value does not fit the type that its column has here. {self}."
                " Nothing is replaced; mend the value there and run again",
                reason="invalid_value",
                file_key=None,
            )
        return VendorFailed(
            f"{self}. Nothing is replaced; run again later", vendor=self.source, status=None
        )


@contextmanager
def source_trouble(source: str) -> Iterator[None]:
    """Tell errors of the source from those of the warehouse."""
    try:
        yield
    except psycopg.Error as error:
        raise SourceTrouble(source, error) from None
