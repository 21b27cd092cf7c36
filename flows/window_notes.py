"""What an export notes in the ledger of windows, where there is a warehouse.

The archive is the truth and the ledger a memo of it: an export works without a warehouse, and goes
on where the warehouse fails. What is missing then, `sync_windows` reads from the archive.
"""

import logging
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime

import psycopg

from flows.errors import WarehouseFailed
from flows.lake.archived_windows import ArchivedWindow, AskedWindow
from flows.settings import Dwh
from flows.warehouse import window_ledger
from flows.warehouse.connection import connect, warehouse_errors
from flows.warehouse.migrate import migrate

_log = logging.getLogger(__name__)


class WindowNotes:
    """Notes on raw.windows. Thread-safe; each note has a connection of its own, as an export takes
    hours between two of them.

    url: of the warehouse, None for no notes.
    """

    def __init__(self, url: str | None) -> None:
        self._url = url
        if url is not None:
            self._try(lambda: migrate(url))

    @classmethod
    def of_settings(cls) -> "WindowNotes":
        """Notes in the warehouse that is set up, or none."""
        if not Dwh.is_set_up():
            return cls(None)
        return cls(Dwh.load().database_url.get_secret_value())

    def asked(self, windows: Sequence[AskedWindow], at: datetime) -> None:
        """The vendor is about to be asked."""
        self._note(lambda connection: window_ledger.note_asked(connection, windows, at))

    def answered(
        self,
        archived: Iterable[ArchivedWindow],
        *,
        not_ready: Sequence[AskedWindow] = (),
        refused: Mapping[AskedWindow, int] | None = None,
        at: datetime,
    ) -> None:
        """What became of it: windows that stand in the archive, that had nothing yet, and sizes
        that the vendor refused."""

        def note(connection: psycopg.Connection) -> None:
            with connection.transaction():
                window_ledger.note_archived(connection, archived)
                if not_ready:
                    window_ledger.note_not_ready(connection, not_ready, at)
                if refused:
                    window_ledger.note_refused(connection, refused)

        self._note(note)

    def refused_sizes(self, source: str) -> dict[str, tuple[int, int]]:
        """See window_ledger; nothing where there is no warehouse."""
        found: dict[str, tuple[int, int]] = {}

        def read(connection: psycopg.Connection) -> None:
            found.update(window_ledger.refused_sizes(connection, source))

        self._note(read)
        return found

    def _note(self, deed: Callable[[psycopg.Connection], None]) -> None:
        url = self._url
        if url is None:
            return

        def do() -> None:
            with warehouse_errors(), connect(url, autocommit=True) as connection:
                deed(connection)

        self._try(do)

    def _try(self, deed: Callable[[], None]) -> None:
        try:
            deed()
        except WarehouseFailed as error:
            _log.warning(
                "the ledger of windows is left behind (%s): it will be read from the archive", error
            )
            self._url = None
