"""An event file of S3 (or of the disk) as the stream of lines that the loader takes.

Its lines have the numbers of the user's own: an event stands where its record begins; what begins
none (the names of the columns, a break within a cell, a blank line) is a blank line. So the lines
of the ledger, and those that errors name, are the file's.
"""

from collections import Counter
from collections.abc import Generator, Iterator
from contextlib import closing
from dataclasses import dataclass

from flows.errors import BadRequest, Interrupted
from flows.event_files.csv_events import csv_events
from flows.event_files.event_line import Notes, Refused, rejected_line
from flows.event_files.file_name import CSV, GZIP, PARQUET, ZIP, parse_file_name
from flows.event_files.ndjson_events import ndjson_events
from flows.event_files.parquet_events import parquet_events
from flows.lake.archive_reader import open_archive, unreadable
from flows.lake.bucket import Bucket
from flows.lake.gzip_reader import open_gzip
from flows.lake.inflate import BLOCK_BYTES
from flows.lake.line_stream import LineArchive
from flows.lake.objects import ObjectVersion, look, read_range, upload
from flows.lake.plain_reader import open_plain
from flows.settings import Limits
from flows.stopping import demand_going_on
from flows.temporary_folder import temporary_folder

#: Beside an archive with bad rows: how many of them a person let pass.
_ALLOWANCE_END = ".max_rejected"
_LONGEST_NUMBER = 20
#: How many bad lines an error lists.
_SHOWN_LINES = 10


@dataclass(frozen=True, slots=True)
class EventArchive:
    """An event file, opened; see LineArchive. max_rejected: so many bad records are let pass."""

    packed: LineArchive
    format: str
    max_rejected: int

    @property
    def key(self) -> str:
        """Its name."""
        return self.packed.key

    @property
    def version(self) -> ObjectVersion:
        """What was opened."""
        return self.packed.version

    @property
    def ndjson_bytes(self) -> int:
        """The size of its content in its own format."""
        return self.packed.ndjson_bytes

    @property
    def limits(self) -> Limits:
        """What it may be at most."""
        return self.packed.limits

    def blocks(self) -> Iterator[bytes]:
        """The lines in order; raises Interrupted at the first bad record beyond max_rejected."""
        held: list[bytes] = []
        held_bytes = 0
        for piece in self._pieces():
            if isinstance(piece, Interrupted):
                yield from _blocks_of(held)
                raise piece
            held.append(piece)
            held_bytes += len(piece)
            if held_bytes >= BLOCK_BYTES // 4:
                yield from _blocks_of(held)
                held_bytes = 0
        yield from _blocks_of(held)

    def _pieces(self) -> Iterator[bytes | Interrupted]:
        """Whole lines; an interruption comes as the last piece, behind all before it."""
        next_line = rejected = 0
        try:
            with closing(self.records(Notes())) as records:
                for line, event in records:
                    yield b"\n" * (line - next_line)
                    next_line = line + 1
                    if not isinstance(event, Refused):
                        yield event + b"\n"
                        continue
                    rejected += 1
                    if rejected > self.max_rejected:
                        yield refusal(self.key, line, event)
                        return
                    yield rejected_line(event) + b"\n"
        except Interrupted as error:
            yield error

    def records(self, notes: Notes) -> Generator[tuple[int, bytes | Refused], None, None]:
        """Each record: its 0-based line (row of Parquet), and its line for the loader or why not.

        Raises Interrupted where the file as a whole cannot be read, DiskFull, ArchiveFailed.
        """
        if self.format == PARQUET:
            # It is read from its end, which a packed file cannot be.
            with temporary_folder("dwh-helper-import-") as folder:
                path = folder / "events.parquet"
                with path.open("wb") as file:
                    for block in self.packed.blocks():
                        demand_going_on()
                        file.write(block)
                yield from parquet_events(self.key, path, notes)
            return
        read = csv_events if self.format == CSV else ndjson_events
        yield from read(self.key, self.packed.blocks(), self.limits.line_max_bytes, notes)


def open_events(
    bucket: Bucket, key: str, version: ObjectVersion, max_rejected: int | None = None
) -> EventArchive:
    """Open this version of an event file. max_rejected: by default what its archive remembers.

    Raises BadRequest where the name tells no format, Interrupted(reason="unreadable_file") for what
    is not packed as it says, ArchiveFailed where S3 fails.
    """
    name = parse_file_name(key)
    if name is None:
        raise BadRequest(
            f"the name of {key} has to end in .csv, .ndjson, .jsonl, .json or .parquet,"
            " with .gz or .zip behind it where it is packed, or in .zip"
        )
    file_format = name.format
    packed: LineArchive
    if name.packing == ZIP:
        packed = archive = open_archive(bucket, key, version)
        member = parse_file_name(archive.member)
        file_format = file_format or (None if member is None or member.packing else member.format)
    elif name.packing == GZIP:
        packed = open_gzip(bucket, key, version)
    else:
        packed = open_plain(bucket, key, version)
    if file_format is None:
        raise unreadable(key, "its member's name ends neither in .csv, .ndjson nor .parquet")
    if max_rejected is None:
        max_rejected = remembered_allowance(bucket, key)
    return EventArchive(packed, file_format, max_rejected)


@dataclass(frozen=True, slots=True)
class Examined:
    """What a file holds. rejected: bad records; taken_as_utc: events whose time has no zone."""

    rejected: int
    taken_as_utc: int


def examine(archive: EventArchive) -> Examined:
    """Read the whole file, in which max_rejected records may be bad.

    Raises Interrupted with the first bad record and the number of each reason, and what `records`
    raises.
    """
    first: Interrupted | None = None
    bad_lines: list[int] = []
    reasons: Counter[str] = Counter()
    notes = Notes()
    with closing(archive.records(notes)) as records:
        for number, (line, event) in enumerate(records):
            if number % 10_000 == 0:
                demand_going_on()
            if isinstance(event, Refused):
                reasons[event.reason] += 1
                first = first or refusal(archive.key, line, event)
                if len(bad_lines) < _SHOWN_LINES:
                    bad_lines.append(line)
    count = reasons.total()
    if first is None or count <= archive.max_rejected:
        return Examined(count, notes.taken_as_utc)
    listed = ", ".join(map(str, bad_lines)) + (", …" if count > len(bad_lines) else "")
    raise Interrupted(
        f"{first.error_message}. {count} bad rows in all, at {listed};"
        f" max_rejected allows {archive.max_rejected}",
        reason=first.reason,
        file_key=archive.key,
        failed_line=first.failed_line,
        last_successful_line=first.last_successful_line,
        findings=reasons,
    )


def refusal(key: str, line: int, refused: Refused) -> Interrupted:
    """The error of a bad record."""
    message = f"{key}, line {line} (0-based): {refused.why}"
    return Interrupted.at_line(message, key, line, refused.reason)


def remembered_allowance(bucket: Bucket, key: str) -> int:
    """How many bad records of an archive were let pass when it was imported."""
    beside = key + _ALLOWANCE_END
    version = look(bucket, beside)
    if version is None:
        return 0
    text = b"".join(
        read_range(bucket, beside, version, 0, min(version.size_bytes, _LONGEST_NUMBER))
    ).strip()
    if not text.isdigit():
        raise unreadable(beside, "it holds no number")
    return int(text)


def remember_allowance(bucket: Bucket, key: str, max_rejected: int) -> None:
    """Have every load of an archive let pass so many bad records; never fewer than before."""
    if max_rejected > remembered_allowance(bucket, key):
        body = b"%d\n" % max_rejected
        upload(bucket, key + _ALLOWANCE_END, lambda: [body], len(body), lambda: None)


def _blocks_of(pieces: list[bytes]) -> Iterator[bytes]:
    """All of them, emptied, in blocks of at most BLOCK_BYTES."""
    data = b"".join(pieces)
    pieces.clear()
    for start in range(0, len(data), BLOCK_BYTES):
        yield data[start : start + BLOCK_BYTES]
