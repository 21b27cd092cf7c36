"""The error family. Each class answers one question: what may the caller do?

DwhHelperError
├── BadRequest          fix the arguments and call again
│   ├── RowsRefused     fix the rows that it names; none was put in
│   ├── UnknownUser     ask for a user that the CRM has
│   ├── EndBeforeStart  swap the two
│   └── EmptyRange      ask for a span in which anything happened
├── MissingSetting      set the variables that it names
├── VendorError         something at a vendor; carries vendor, window, status
│   ├── Forbidden       stop: key pair, token, region or permission is wrong
│   ├── WindowTooLarge  use the vendor's way for bulk: it is more than the API gives in one piece
│   └── VendorFailed    try again later: the vendor kept failing within the bounds of the retries
├── ArchiveFailed       an object in S3 is not what was written, or could not be written; run again
├── DiskFull            make room in the temporary folder, or set TMPDIR; run again
├── WarehouseBusy       wait: another build holds the warehouse
├── WarehouseFailed     look at the server, then run again: what is committed stands
├── BuildFailed         dbt failed for another reason than data: SQL, connection, project
├── Stopped             run again whenever you like: the run was cancelled
├── NotReconciled       find the missing or the surplus rows: archive, raw and marts do not add up
├── SourcesFailed       the other sources went through; look at the named ones
└── Interrupted         data stops the way: fix the file or the mapping, or withdraw the load
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Self


class DwhHelperError(Exception):
    """Root of all errors that this project raises on purpose."""


class BadRequest(DwhHelperError):
    """The arguments make no sense; nothing was asked, read or written."""


class UnknownUser(BadRequest):
    """The CRM has no such user, as of the last import."""


class EndBeforeStart(BadRequest):
    """A span that ends before it begins."""


class EmptyRange(BadRequest):
    """Nothing is known of the span that was asked for."""


@dataclass(frozen=True, slots=True)
class RowFinding:
    """What is wrong with a row that a person gave.

    row: 0-based, None for the names of the columns. column: None for the row as a whole.
    why: one phrase, never a value.
    """

    row: int | None
    column: str | None
    why: str

    def __str__(self) -> str:
        place = "the columns" if self.row is None else f"row {self.row}"
        return f"{place}: {self.column or ''}{' ' if self.column else ''}{self.why}"


class RowsRefused(BadRequest):
    """Rows break the contract of their table; none of them was put in.

    table: which. findings: all, or the first 10,000 of them. count: how many there are.
    """

    def __init__(self, table: str, findings: Sequence[RowFinding], count: int) -> None:
        shown = [str(finding) for finding in findings[:20]]
        more = [f"and {count - len(shown):,} more"] if count > len(shown) else []
        super().__init__(
            "\n".join((f"{count:,} findings in rows for {table}, none is put in", *shown, *more))
        )
        self.table = table
        self.findings = tuple(findings)
        self.count = count

    def __reduce__(self) -> tuple[object, ...]:
        return type(self), (self.table, self.findings, self.count)


class MissingSetting(DwhHelperError):
    """Settings are missing or malformed; the message names each variable and the cure."""


class VendorError(DwhHelperError):
    """A vendor's API did not give the data.

    vendor: such as "amplitude"; window: the span that was asked, as text; status: HTTP status.
    """

    def __init__(
        self, message: str, *, vendor: str, window: str | None = None, status: int | None = None
    ) -> None:
        super().__init__(message)
        self.message = message
        self.vendor = vendor
        self.window = window
        self.status = status

    def __reduce__(self) -> tuple[object, ...]:
        return _rebuild, (
            type(self),
            self.message,
            {"vendor": self.vendor, "window": self.window, "status": self.status},
        )


class Forbidden(VendorError):
    """The vendor refuses key pair or token: wrong, wrong region, no permission. Never retried."""


class WindowTooLarge(VendorError):
    """The smallest piece is still too large or too slow; the message names the vendor's way."""


class VendorFailed(VendorError):
    """The vendor kept failing until tries or time ran out. Running again later is safe."""


class ArchiveFailed(DwhHelperError):
    """What stands in S3 is not what was written, or could not be written. Running again is safe."""

    def __init__(self, message: str, *, file_key: str) -> None:
        super().__init__(message)
        self.message = message
        self.file_key = file_key

    def __reduce__(self) -> tuple[object, ...]:
        return _rebuild, (type(self), self.message, {"file_key": self.file_key})


class DiskFull(DwhHelperError):
    """The temporary folder has no space left; what is archived stands. Running again is safe."""


class WarehouseBusy(DwhHelperError):
    """Another build holds the warehouse; try again when it is done."""


class WarehouseFailed(DwhHelperError):
    """The server cannot be reached, broke off or refused a statement. Running again resumes.

    sqlstate: five characters of PostgreSQL's own code, None where no server answered.
    """

    def __init__(self, message: str, *, sqlstate: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.sqlstate = sqlstate

    def __reduce__(self) -> tuple[object, ...]:
        return _rebuild, (type(self), self.message, {"sqlstate": self.sqlstate})


class BuildFailed(DwhHelperError):
    """dbt failed, and not because of data: SQL, connection or project. nodes: which failed."""

    def __init__(self, message: str, *, nodes: tuple[str, ...] = ()) -> None:
        super().__init__(message)
        self.message = message
        self.nodes = nodes

    def __reduce__(self) -> tuple[object, ...]:
        return _rebuild, (type(self), self.message, {"nodes": self.nodes})


class Stopped(DwhHelperError):
    """The run was cancelled; what is committed stands, and the next run goes on from there."""


class NotReconciled(DwhHelperError):
    """Events are missing or surplus between the archive and the tables.

    days: what does not add up, a line for each source, table and day, with its reason; no values.
    """

    def __init__(self, days: Sequence[str]) -> None:
        shown = [*days[:20], *([f"and {len(days) - 20} more"] if len(days) > 20 else [])]
        super().__init__("archive, raw tables and marts do not add up\n" + "\n".join(shown))
        self.days = tuple(days)

    def __reduce__(self) -> tuple[object, ...]:
        return type(self), (self.days,)


class SourcesFailed(DwhHelperError):
    """Some sources failed while the rest of the run went through. errors: source -> its error."""

    def __init__(self, errors: Mapping[str, BaseException]) -> None:
        lines = [f"{source}: {type(error).__name__}: {error}" for source, error in errors.items()]
        super().__init__("failed sources\n" + "\n".join(lines))
        self.errors = dict(errors)

    def __reduce__(self) -> tuple[object, ...]:
        return type(self), (self.errors,)


class Interrupted(DwhHelperError):
    """Data stops the way; everything downstream stands as it was.

    status: always "interrupted".
    reason: what kind, such as "unknown_key", "invalid_value", "unreadable_line", "unreadable_file".
    file_key: the object in S3, or None where no file is to blame.
    last_successful_line: 0-based line before the first bad one, None if the first line is bad.
    failed_line: 0-based number of the first bad line, None where the file cannot be read at all.
    error_message: one sentence for people; never a patient's value.
    findings: how many findings of each reason.
    """

    status = "interrupted"

    def __init__(
        self,
        error_message: str,
        *,
        reason: str,
        file_key: str | None,
        failed_line: int | None = None,
        last_successful_line: int | None = None,
        findings: Mapping[str, int] | None = None,
    ) -> None:
        super().__init__(error_message)
        self.error_message = error_message
        self.reason = reason
        self.file_key = file_key
        self.failed_line = failed_line
        self.last_successful_line = last_successful_line
        self.findings = dict(findings or {})

    @classmethod
    def at_line(
        cls, error_message: str, file_key: str, line: int | None, reason: str = "unreadable_line"
    ) -> Self:
        """The error of one bad line, 0-based, None if unknown; all lines before it are good."""
        return cls(
            error_message,
            reason=reason,
            file_key=file_key,
            failed_line=line,
            last_successful_line=line - 1 if line else None,
            findings={reason: 1},
        )

    def __reduce__(self) -> tuple[object, ...]:
        return _rebuild, (
            type(self),
            self.error_message,
            {
                "reason": self.reason,
                "file_key": self.file_key,
                "failed_line": self.failed_line,
                "last_successful_line": self.last_successful_line,
                "findings": self.findings,
            },
        )


def _rebuild(
    cls: type[DwhHelperError], message: str, attributes: dict[str, object]
) -> DwhHelperError:
    """Unpickle an error whose constructor takes keywords: Prefect sends errors around."""
    return cls(message, **attributes)
