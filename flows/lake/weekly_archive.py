"""Weekly archives: read what one covers, put days into it, keep the others.

An archive is a zip with one deflated member of NDJSON, days in order; its comment is the index of
days. A week may have many GB: days are copied as deflated data, from files and from the old
archive's ranges, straight into a multipart upload. Memory: a few MB.
"""

import logging
import threading
from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date

from isal import isal_zlib
from isal.igzip_lib import IsalError

from flows.errors import ArchiveFailed
from flows.lake import zip_layout
from flows.lake.archive_index import ArchiveIndex, DayEntry, days_of
from flows.lake.bucket import Bucket
from flows.lake.day_file import FINAL_BLOCK, DayFile
from flows.lake.keys import archive_member
from flows.lake.objects import ObjectChanged, ObjectVersion, look, read_range, upload
from flows.windows import IsoWeek

_log = logging.getLogger(__name__)

_FILE_BYTES = 1024 * 1024
#: How often a merge starts over because another exporter wrote the same week meanwhile.
_MOST_MERGES = 5

#: One merge of an archive at a time in this process; other processes are noticed by the ETag.
_locks: defaultdict[tuple[str, str], threading.Lock] = defaultdict(threading.Lock)


@dataclass(frozen=True, slots=True)
class WeeklyArchive:
    """An archive in S3. key: of the object; version: its ETag and size; index: its days."""

    key: str
    version: ObjectVersion
    index: ArchiveIndex

    def start_of(self, day: date) -> int:
        """Offset in the object of the first deflated byte of a day."""
        before = [entry for other, entry in self.index.days.items() if other < day]
        return len(zip_layout.head(_member(self.index))) + sum(e.deflated_bytes for e in before)


def read_archive(bucket: Bucket, key: str, source: str, week: IsoWeek) -> WeeklyArchive | None:
    """The archive under a key, None if there is none.

    ArchiveFailed if the object is no archive of this source and week that this project wrote.
    """
    version = look(bucket, key)
    if version is None:
        return None
    length = min(version.size_bytes, zip_layout.TAIL_BYTES)
    end = b"".join(read_range(bucket, key, version, version.size_bytes - length, length))
    try:
        member, comment = zip_layout.parse_tail(end)
        index = ArchiveIndex.from_comment(comment, source, week)
        if member != _member(index) or version.size_bytes != _size_bytes(index):
            raise ValueError("its index of days does not fit its content")  # noqa: TRY301
    except ValueError as error:
        raise ArchiveFailed(
            f"{key} is no archive of this project: {error}. Move it away, or export all days of"
            f" {week} with refresh=True to replace it.",
            file_key=key,
        ) from error
    return WeeklyArchive(key, version, index)


def write_days(
    bucket: Bucket,
    key: str,
    source: str,
    week: IsoWeek,
    new: Mapping[date, DayFile],
    *,
    replace_foreign: bool = False,
) -> tuple[WeeklyArchive, bool]:
    """Put days into a week's archive; the days it holds and `new` does not name are kept.

    The result depends on the days alone, not on how often or in which order they came. Nothing is
    sent when nothing would change. replace_foreign: an object that is no archive of ours is
    overwritten. Returns the archive and whether it was written. ArchiveFailed otherwise.
    """
    with _locks[bucket.name, key]:
        for _ in range(_MOST_MERGES):
            try:
                return _merge(bucket, key, source, week, new, replace_foreign=replace_foreign)
            except ObjectChanged:
                _log.warning("%s was written by someone else meanwhile; merging again", key)
    raise ArchiveFailed(
        f"{key} kept changing while it was merged: is another export of {week} running?",
        file_key=key,
    )


def _merge(
    bucket: Bucket,
    key: str,
    source: str,
    week: IsoWeek,
    new: Mapping[date, DayFile],
    *,
    replace_foreign: bool,
) -> tuple[WeeklyArchive, bool]:
    seen = look(bucket, key)
    try:
        old = read_archive(bucket, key, source, week)
    except ObjectChanged:
        raise
    except ArchiveFailed:
        if not replace_foreign:
            raise
        old = None
    if old is not None and all(_holds(bucket, old, day, file) for day, file in new.items()):
        return old, False
    kept = old.index.days if old is not None else {}
    days = {day: entry for day, entry in kept.items() if day not in new}
    days |= {day: file.entry for day, file in new.items()}
    index = ArchiveIndex(source, week, dict(sorted(days.items())))

    def demand_unchanged() -> None:
        if look(bucket, key) != (seen if old is None else old.version):
            raise ObjectChanged(f"{key} was written by someone else meanwhile", file_key=key)

    version = upload(
        bucket,
        key,
        lambda: _pieces(bucket, index, old, new),
        _size_bytes(index),
        demand_unchanged,
    )
    return WeeklyArchive(key, version, index), True


def _pieces(
    bucket: Bucket, index: ArchiveIndex, old: WeeklyArchive | None, new: Mapping[date, DayFile]
) -> Iterator[bytes]:
    member = _member(index)
    yield zip_layout.head(member)
    for day, entry in index.days.items():
        if day in new:
            yield from _file_pieces(new[day])
        elif old is not None:
            yield from _checked(_kept_pieces(bucket, old, day), old, day, entry)
    yield FINAL_BLOCK
    yield zip_layout.tail(member, index.to_comment())


def _file_pieces(file: DayFile) -> Iterator[bytes]:
    with file.path.open("rb") as opened:
        while piece := opened.read(_FILE_BYTES):
            yield piece


def _kept_pieces(bucket: Bucket, archive: WeeklyArchive, day: date) -> Iterator[bytes]:
    length = archive.index.days[day].deflated_bytes
    return read_range(bucket, archive.key, archive.version, archive.start_of(day), length)


def _checked(
    pieces: Iterator[bytes], archive: WeeklyArchive, day: date, entry: DayEntry
) -> Iterator[bytes]:
    """Pass a kept day on, inflating it beside: damage must not travel into the next archive."""
    stream = isal_zlib.decompressobj(-15)
    crc32 = size = lines = 0
    try:
        for piece in pieces:
            rest = piece
            while rest:
                block = stream.decompress(rest, _FILE_BYTES)
                crc32 = isal_zlib.crc32(block, crc32)
                size += len(block)
                lines += block.count(b"\n")
                rest = stream.unconsumed_tail
            yield piece
        while block := stream.decompress(b"", _FILE_BYTES):
            crc32 = isal_zlib.crc32(block, crc32)
            size += len(block)
            lines += block.count(b"\n")
    except IsalError as error:  # type: ignore[misc]  # its stub takes the class for an instance
        raise _damaged(archive, day) from error
    if (crc32, size, lines) != (entry.crc32, entry.bytes, entry.lines):
        raise _damaged(archive, day)


def _damaged(archive: WeeklyArchive, day: date) -> ArchiveFailed:
    return ArchiveFailed(
        f"{archive.key}: the content of {day} is damaged. Export that day again with refresh=True.",
        file_key=archive.key,
    )


def _holds(bucket: Bucket, archive: WeeklyArchive, day: date, file: DayFile) -> bool:
    """Whether the archive has exactly this day already; the bytes decide, not their checksum."""
    if archive.index.days.get(day) != file.entry:
        return False
    with file.path.open("rb") as opened:
        return all(opened.read(len(piece)) == piece for piece in _kept_pieces(bucket, archive, day))


def _member(index: ArchiveIndex) -> zip_layout.Member:
    crc32 = 0
    for entry in index.days.values():
        crc32 = isal_zlib.crc32_combine(crc32, entry.crc32, entry.bytes)
    deflated_bytes = sum(entry.deflated_bytes for entry in index.days.values())
    return zip_layout.Member(
        archive_member(index.week), crc32, index.ndjson_bytes, deflated_bytes + len(FINAL_BLOCK)
    )


def _size_bytes(index: ArchiveIndex) -> int:
    member = _member(index)
    ends = len(zip_layout.head(member)) + len(zip_layout.tail(member, index.to_comment()))
    return ends + member.deflated_bytes


def covers_week(week: IsoWeek, asked: list[date], today: date) -> bool:
    """Whether all days of a week, as far as they have begun, are among the asked."""
    return all(day in asked for day in days_of(week) if day <= today)
