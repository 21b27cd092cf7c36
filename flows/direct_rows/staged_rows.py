"""Rows that were checked, on the disk, and the lines of the archive that they become.

A line is `{"uuid":…,"event_time":…,"put_in_at":…,"row_values":{…}}`. What a person left out follows
from the call: the time is that of putting in, the uuid is made of the checksum of all rows and of
the number of the row. So the same rows put in again have the same ids.
"""

import gzip
import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from uuid import UUID

from flows.direct_rows.contracts import Contract
from flows.direct_rows.row_checker import CheckedRow, Complaint, RowChecker
from flows.direct_rows.row_source import RowSource
from flows.direct_rows.values import Unfit, as_text
from flows.errors import BadRequest, RowFinding, RowsRefused
from flows.stopping import demand_going_on

#: So many findings are kept with their rows; all are counted.
_KEPT_FINDINGS = 10_000
_LOOK_UP_ROWS = 1000
_UTC_MARK = '+00"'


@dataclass(frozen=True, slots=True)
class StagedRows:
    """Checked rows of one call. path: their file; checksum: hexadecimal sha256 of table and rows.

    Equal rows have equal checksums, whatever format they came in.
    """

    path: Path
    count: int
    checksum: str

    def write_archive(self, path: Path, put_in_at: datetime) -> None:
        """Write the lines as one gzip member. put_in_at: in UTC."""
        with (
            path.open("wb") as file,
            gzip.GzipFile(filename="", mode="wb", fileobj=file, compresslevel=6, mtime=0) as packed,
        ):
            for line in self._lines(as_text(put_in_at)):
                packed.write(line)

    def _lines(self, put_in_at: str) -> Iterator[bytes]:
        time = f'"{put_in_at}"'
        with self.path.open(encoding="utf-8", newline="\n") as file:
            for number, line in enumerate(file):
                if number % _LOOK_UP_ROWS == 0:
                    demand_going_on()
                uuid, event_time, values = line[:-1].split("\t")
                yield (
                    f'{{"uuid":{uuid or self._uuid(number)},"event_time":{event_time or time},'
                    f'"put_in_at":{time},"row_values":{values}}}\n'
                ).encode()

    def _uuid(self, number: int) -> str:
        """A uuid of version 8 (RFC 9562): 60 bits of the checksum, then the number of the row.

        So the ids of a call are in the order of its rows.
        """
        of_call = int(self.checksum[:15], 16)
        high = (of_call >> 12) << 16 | 0x8000 | of_call & 0xFFF
        return f'"{UUID(int=high << 64 | 0b10 << 62 | number)}"'


def stage(contract: Contract, source: RowSource, path: Path) -> StagedRows:
    """Check all rows and write them to a file.

    Raises RowsRefused with all that is wrong, BadRequest where there is no row, and what reading
    the source raises.
    """
    checker = RowChecker(contract)
    findings = _Findings()
    if source.columns is not None:
        findings.add(None, checker.complaints_of_columns(source.columns))
        # With other columns than the table's, every row would only say so again.
        findings.demand_none(contract.table)
    checksum = hashlib.sha256(f"{contract.table}\n".encode())
    count = 0
    with path.open("wb") as file:
        for number, row in enumerate(source.rows):
            if number % _LOOK_UP_ROWS == 0:
                demand_going_on()
            count += 1
            if isinstance(row, Unfit):
                findings.add(number, [(None, str(row))])
                continue
            checked = checker.check(row)
            if not isinstance(checked, CheckedRow):
                findings.add(number, checked)
            elif not findings.count:
                line = _staged(checked)
                checksum.update(line)
                file.write(line)
    findings.demand_none(contract.table)
    if count == 0:
        raise BadRequest(f"there is no row to put into {contract.table}")
    return StagedRows(path, count, checksum.hexdigest())


def _staged(row: CheckedRow) -> bytes:
    # JSON on one line holds neither a tabulator nor a line end.
    event_time = (row.event_time or "").replace(_UTC_MARK, '"')
    return f"{row.uuid or ''}\t{event_time}\t{row.values}\n".encode()


class _Findings:
    def __init__(self) -> None:
        self.count = 0
        self._kept: list[RowFinding] = []

    def add(self, row: int | None, complaints: list[Complaint]) -> None:
        self.count += len(complaints)
        left = max(0, _KEPT_FINDINGS - len(self._kept))
        self._kept += [RowFinding(row, column, why) for column, why in complaints[:left]]

    def demand_none(self, table: str) -> None:
        if self.count:
            raise RowsRefused(table, self._kept, self.count)
