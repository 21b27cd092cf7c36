"""Reading an export: a zip of gzip members of NDJSON, as blocks of bytes in time order.

Members are called `<project>/<project>_<YYYY-MM-DD>_<H>#<partition>.json.gz`; the hour is not
padded and members stand in any order. An answer may have 4 GB; memory stays at a few blocks. Each
member's CRC and length are checked while it is read.
"""

import io
import re
import struct
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import groupby
from pathlib import Path

from isal import isal_zlib
from isal.igzip_lib import IsalError

from flows.errors import VendorFailed
from flows.settings import Limits
from flows.vendors.amplitude_wire import VENDOR
from flows.windows import Window

_NAME = re.compile(r"(?:[\w-]+/)?[\w-]*_(\d{4}-\d\d-\d\d)_(\d{1,2})#(\d+)\.json\.gz")

#: Compressed bytes per read and most NDJSON bytes per block: large enough that Python's share of
#: the time is small, small enough that four readers need a few MB.
_READ_BYTES = 256 * 1024
_BLOCK_BYTES = 1024 * 1024

#: A member's place in the directory: 46 bytes, its name, extra fields. Amplitude's take 120.
_ENTRY_BYTES = 512

_GZIP = 31  # a gzip container, its header and trailer checked


class _ZipFile(io.FileIO):
    """A file whose directory is not read into memory if it is too large; blocks are far smaller."""

    def __init__(self, path: Path, limits: Limits) -> None:
        super().__init__(path)
        self._most_bytes = limits.archive_max_members * _ENTRY_BYTES + _READ_BYTES

    def read(self, size: int | None = -1, /) -> bytes:
        if size is not None and size > self._most_bytes:
            raise zipfile.BadZipFile("its directory is too large (DWH_ARCHIVE_MAX_MEMBERS)")
        return super().read(-1 if size is None else size) or b""


class _Meter:
    """Counts what came out of an answer."""

    def __init__(self, path: Path, window: Window, limits: Limits) -> None:
        self._window = window
        self._limits = limits
        self._deflated_bytes = path.stat().st_size
        self._inflated_bytes = 0

    def pass_on(self, blocks: Iterator[bytes]) -> Iterator[bytes]:
        """The same blocks; VendorFailed where they are too many for the file."""
        for block in blocks:
            self._inflated_bytes += len(block)
            if self._limits.is_bomb(self._inflated_bytes, self._deflated_bytes):
                raise _broken("it inflates to too much: a zip bomb", self._window)
            yield block


@dataclass(frozen=True, slots=True, order=True)
class _Member:
    hour: datetime
    partition: int
    name: str


def read_hours(
    path: Path, window: Window, limits: Limits | None = None
) -> Iterator[tuple[datetime, Iterator[bytes]]]:
    """Each hour of an export in time order, with its NDJSON as blocks of bytes (not of lines).

    Members of an hour follow each other by partition number; a member that does not end in a
    newline is given one. Each hour's blocks must be used up before the next hour is asked for.
    limits: by default of the environment. Raises VendorFailed for whatever is wrong with the zip, a
    member, or a name, and for more than the limits allow: the answer is broken.
    """
    limits = limits or Limits.load()
    meter = _Meter(path, window, limits)
    with (
        _broken_is_said(window),
        _ZipFile(path, limits) as file,
        zipfile.ZipFile(file) as archive,
    ):
        if len(archive.namelist()) > limits.archive_max_members:
            raise _broken("it has too many members (DWH_ARCHIVE_MAX_MEMBERS)", window)
        members = sorted(_members(archive, window))
        for hour, group in groupby(members, key=lambda member: member.hour):
            names = [member.name for member in group]
            yield hour, meter.pass_on(_blocks(archive, names, window))


@contextmanager
def _broken_is_said(window: Window) -> Iterator[None]:
    try:
        yield
    except (  # type: ignore[misc]  # isal's stub takes the class of its errors for an instance
        zipfile.BadZipFile,
        IsalError,
        zlib.error,  # a member that is deflated once more
        EOFError,
        NotImplementedError,  # a compression method that no export has
        RuntimeError,  # an encrypted member
        struct.error,
        ValueError,  # names, dates and offsets that make no sense
    ) as error:
        raise _broken(f"a damaged zip ({str(error)[:200]})", window) from error


def _members(archive: zipfile.ZipFile, window: Window) -> Iterator[_Member]:
    for info in archive.infolist():
        if info.filename.endswith("/"):
            continue
        found = _NAME.fullmatch(info.filename)
        if found is None or int(found[2]) > 23:
            raise _broken(f"a member called {info.filename[:100]!r}", window)
        day = datetime.strptime(found[1], "%Y-%m-%d").replace(tzinfo=UTC)
        hour = day + timedelta(hours=int(found[2]))
        if info.header_offset < 0:
            raise _broken("a member that begins before the zip does", window)
        if not window.start <= hour < window.end:
            raise _broken(f"a member of an hour that was not asked: {info.filename!r}", window)
        yield _Member(hour, int(found[3]), info.filename)


def _blocks(archive: zipfile.ZipFile, names: list[str], window: Window) -> Iterator[bytes]:
    # The caller uses these while read_hours stands still, so its handler does not see their errors.
    with _broken_is_said(window):
        for name in names:
            last = b""
            for last in _inflated(archive, name):
                yield last
            if last and not last.endswith(b"\n"):
                yield b"\n"


def _inflated(archive: zipfile.ZipFile, name: str) -> Iterator[bytes]:
    """Blocks of one member; gzip allows several streams behind each other."""
    with archive.open(name) as member:
        stream = isal_zlib.decompressobj(_GZIP)
        used = False
        while piece := member.read(_READ_BYTES):
            while piece:
                if stream.eof:
                    stream = isal_zlib.decompressobj(_GZIP)
                used = True
                block = stream.decompress(piece, _BLOCK_BYTES)
                if block:
                    yield block
                piece = stream.unused_data if stream.eof else stream.unconsumed_tail
        while used and not stream.eof:
            # What the reader still holds back, then the end; nothing more means a cut stream.
            block = stream.decompress(b"", _BLOCK_BYTES)
            if not block:
                raise EOFError(f"{name} ends in the middle of a gzip stream")
            yield block


def _broken(what: str, window: Window) -> VendorFailed:
    return VendorFailed(
        f"Amplitude's answer for {window} is broken: {what}",
        vendor=VENDOR,
        window=str(window),
        status=200,
    )
