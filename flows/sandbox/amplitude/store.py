"""Which rows belong to which upload hour.

Rows lie on disk as `<folder>/<project>/<YYYY-MM-DD>/<HH>.ndjson`, the hour being that of
`server_upload_time` (UTC); rows added while the simulator runs are kept in memory beside them.
Lines are read as a stream: an hour may be larger than memory.
"""

import re
import shutil
import threading
import zlib
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path

import msgspec

from flows.errors import BadRequest
from flows.sandbox.amplitude.clock import hour_of, parse_vendor_text
from flows.sandbox.amplitude.fields import Row

#: Buffered bytes before hour files are written: many hours are filled at once, files opened rarely.
_FLUSH_BYTES = 32 * 1024 * 1024

_HOUR_FILE = re.compile(r"^(?P<day>\d{4}-\d\d-\d\d)/(?P<hour>\d\d)\.ndjson$")
_WEB_PLATFORM = re.compile(rb'"platform"\s*:\s*"Web"')
_UPLOAD_TIME = re.compile(rb'"server_upload_time"\s*:\s*"([^"]+)"')


class _Upload(msgspec.Struct):
    """The one field that decides the hour, read without decoding the rest of the row."""

    server_upload_time: str


_decode_upload = msgspec.json.Decoder(_Upload).decode


def upload_hour(line: bytes) -> datetime:
    """The hour that a line belongs to; broken JSON is searched as text; BadRequest if timeless."""
    try:
        return hour_of(parse_vendor_text(_decode_upload(line).server_upload_time))
    except (msgspec.DecodeError, UnicodeDecodeError, ValueError):
        found = _UPLOAD_TIME.search(line)
    try:
        if found:
            return hour_of(parse_vendor_text(found.group(1).decode("ascii", "replace")))
    except ValueError:
        pass
    raise BadRequest("a row needs server_upload_time: the export selects by it")


def hour_file(folder: Path, project: str, hour: datetime) -> Path:
    """Where the rows of one project and hour lie."""
    return folder / project / f"{hour:%Y-%m-%d}" / f"{hour:%H}.ndjson"


def encode_row(row: Row) -> bytes:
    """One line without its end: compact JSON, UTF-8, keys in the row's order."""
    return msgspec.json.encode(row)


def write_hours(folder: Path, project: str, lines: Iterable[bytes]) -> int:
    """Append lines to the hour files of a project, in the order given; returns how many."""
    buffers: dict[datetime, list[bytes]] = defaultdict(list)
    buffered = count = 0
    for line in lines:
        buffers[upload_hour(line)].append(line)
        buffered += len(line)
        count += 1
        if buffered > _FLUSH_BYTES:
            _flush(folder, project, buffers)
            buffered = 0
    _flush(folder, project, buffers)
    return count


def _flush(folder: Path, project: str, buffers: dict[datetime, list[bytes]]) -> None:
    for hour, lines in buffers.items():
        path = hour_file(folder, project, hour)
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("ab") as file:
            file.write(b"\n".join(lines) + b"\n")
    buffers.clear()


def sort_into_hours(source: Path, target: Path) -> dict[str, int]:
    """Put any folder of NDJSON into hour files below `target`; returns rows per project.

    The project of a file is the first folder below `source` ("web" or "mobile"); a file right in
    `source` is split by each row's `platform`: "Web" is web, everything else mobile.
    Files end in .ndjson, .jsonl or .json. BadRequest names file and line without an upload time.
    """
    counts: dict[str, int] = {}
    for path in sorted(source.rglob("*")):
        if path.suffix not in {".ndjson", ".jsonl", ".json"} or not path.is_file():
            continue
        parts = path.relative_to(source).parts
        named = parts[0] if len(parts) > 1 and parts[0] in {"web", "mobile"} else None
        for project in [named] if named else ["web", "mobile"]:
            rows = write_hours(target, project, _lines_of(path, None if named else project))
            if rows:
                counts[project] = counts.get(project, 0) + rows
    return counts


def _lines_of(path: Path, project: str | None) -> Iterator[bytes]:
    with path.open("rb") as file:
        for number, raw in enumerate(file):
            line = raw.rstrip(b"\r\n")
            if not line.strip():
                continue
            try:
                upload_hour(line)
            except BadRequest as problem:
                raise BadRequest(f"{path}, line {number}: {problem}") from problem
            if project is None or bool(_WEB_PLATFORM.search(line)) == (project == "web"):
                yield line


def is_in_hours(folder: Path) -> bool:
    """Whether each NDJSON file of the folder is an hour file, so that it can be served in place."""
    files = [
        path.relative_to(folder).parts
        for path in folder.rglob("*")
        if path.suffix in {".ndjson", ".jsonl", ".json"}
    ]
    return bool(files) and all(
        len(parts) == 3 and _HOUR_FILE.match("/".join(parts[1:])) is not None for parts in files
    )


@dataclass(frozen=True, slots=True)
class _Added:
    """A line put in while running; late: withheld at the first pull of its hour."""

    line: bytes
    late: bool


class HourStore:
    """Rows by project and upload hour: hour files of a folder, and lines added while running.

    folder: a folder of hour files, or None for memory only. late_share: the part of the folder's
    rows (0 to 1, always the same ones) that shows only from the second pull of their hour on.
    """

    def __init__(self, folder: Path | None = None) -> None:
        self.folder = folder
        self.late_share = 0.0
        self._added: dict[tuple[str, datetime], list[_Added]] = defaultdict(list)
        self._pulls: dict[tuple[str, datetime], int] = defaultdict(int)
        self._lock = threading.Lock()

    def add(self, project: str, lines: Iterable[bytes], *, late: bool = False) -> int:
        """Add lines, each to the hour of its own server_upload_time; returns how many."""
        by_hour = [(upload_hour(line), _Added(line, late)) for line in lines]
        with self._lock:
            for hour, added in by_hour:
                self._added[project, hour].append(added)
        return len(by_hour)

    def hours(self, project: str, start: datetime, end: datetime) -> list[datetime]:
        """Hours from start to end, both inclusive, that show at least one row at this pull."""
        with self._lock:
            found = {hour for name, hour in self._added if name == project and start <= hour <= end}
        found.update(self._hours_on_disk(project, start, end))
        return [hour for hour in sorted(found) if next(self.lines(project, hour), None) is not None]

    def _hours_on_disk(self, project: str, start: datetime, end: datetime) -> Iterator[datetime]:
        root = self.folder / project if self.folder else None
        if root is None or not root.is_dir():
            return
        for path in root.glob("*/*.ndjson"):
            match = _HOUR_FILE.match(f"{path.parent.name}/{path.name}")
            if match is None:
                continue
            day = date.fromisoformat(match["day"])
            hour = datetime(day.year, day.month, day.day, int(match["hour"]), tzinfo=UTC)
            if start <= hour <= end:
                yield hour

    def size(self, project: str, hour: datetime) -> int:
        """NDJSON bytes of an hour, late rows included."""
        with self._lock:
            added = sum(len(item.line) + 1 for item in self._added.get((project, hour), ()))
        path = hour_file(self.folder, project, hour) if self.folder else None
        return added + (path.stat().st_size if path and path.is_file() else 0)

    def lines(self, project: str, hour: datetime) -> Iterator[bytes]:
        """The lines of an hour that show at this pull, without their ends."""
        with self._lock:
            first_pull = not self._pulls.get((project, hour))
            added = list(self._added.get((project, hour), ()))
        path = hour_file(self.folder, project, hour) if self.folder else None
        if path and path.is_file():
            with path.open("rb") as file:
                for raw in file:
                    line = raw.rstrip(b"\n")
                    if line and not (first_pull and self._is_late(line)):
                        yield line
        for item in added:
            if not (first_pull and item.late):
                yield item.line

    def _is_late(self, line: bytes) -> bool:
        return self.late_share > 0 and zlib.crc32(line) % 10_000 < self.late_share * 10_000

    def pulled(self, project: str, hours: Iterable[datetime]) -> None:
        """Note that these hours were given out: from now on their late rows show too."""
        with self._lock:
            for hour in hours:
                self._pulls[project, hour] += 1


def clear_hours(folder: Path, project: str) -> None:
    """Remove a project's hour files, so that writing again does not double rows."""
    shutil.rmtree(folder / project, ignore_errors=True)
