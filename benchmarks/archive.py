"""How fast vendor's answers become a weekly archive, and in how much memory.

    python -m benchmarks.archive

MB/s are of NDJSON. Each ratio is to plain isal inflate of the same bytes in the same run, round by
round in turn, medians. Results: `benchmarks/results/archive.json`. Takes two minutes and 1 GB of
temporary files.
"""

import gzip
import os
import statistics
import tempfile
import time
import zipfile
import zlib
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import msgspec
from isal import isal_zlib

from benchmarks.figures import Figure, figure, memory_figures, report
from benchmarks.file_server import file_server
from benchmarks.new_process import in_new_process, peak_mb

MONDAY = date(2025, 1, 6)
DAYS = 7
ROUNDS = 3
#: NDJSON per day at 1x. A week makes 700 MB, and so many parts of
#: the upload that the most memory is in use already.
DAY_BYTES = 100_000_000

AIM_MB_S = 400.0


def main() -> None:
    """Measure everything, print a table, write the results."""
    with tempfile.TemporaryDirectory(prefix="benchmark-archive-") as name:
        directory = Path(name)
        rows = invented_rows()
        sizes = {}
        for factor in (1, 4):
            (directory / f"{factor}x").mkdir()
            sizes[factor] = make_answers(directory / f"{factor}x", rows, factor)
        figures = speeds(directory / "1x", sizes[1])
        figures.append(size_against_deflate(directory / "1x"))
        figures += whole_exports(directory, sizes)
    report("archive", figures)


def invented_rows() -> list[bytes]:
    """About 30 MB of the sandbox's events: more than any compressor's window looks back."""
    from flows.sandbox.amplitude.events import generate

    encode = msgspec.json.Encoder().encode
    rows = generate("mobile", MONDAY, MONDAY + timedelta(days=20), users=600)
    return [encode(row) + b"\n" for row in rows]


def make_answers(directory: Path, rows: list[bytes], factor: int) -> int:
    """One answer of the vendor per day: stored gzip members, two per hour. Returns NDJSON bytes."""
    total = 0
    part_bytes = DAY_BYTES * factor // 48
    part_rows = part_bytes * len(rows) // sum(map(len, rows))
    cursor = 0
    parts: dict[int, tuple[bytes, int]] = {}  # compressing is slow: parts are made once, used often
    for number in range(DAYS):
        day = MONDAY + timedelta(days=number)
        with zipfile.ZipFile(directory / f"{day:%Y%m%d}.zip", "w") as answer:
            for part in range(48):
                if cursor not in parts:
                    lines = (rows[(cursor + i) % len(rows)] for i in range(part_rows))
                    content = b"".join(lines)
                    parts[cursor] = gzip.compress(content, 6), len(content)
                data, size = parts[cursor]
                answer.writestr(f"1/1_{day}_{part // 2}#{part % 2}.json.gz", data)
                total += size
                cursor = (cursor + len(rows) // 12) % (len(rows) // 12 * 12)
    return total


def members(directory: Path) -> Iterator[bytes]:
    """The gzip members of all answers."""
    for path in sorted(directory.glob("*.zip")):
        with zipfile.ZipFile(path) as answer:
            for info in answer.infolist():
                yield answer.read(info)


def inflate(directory: Path, _: Path) -> None:
    """The yardstick: isal inflates each member, and nothing is done with the content."""
    for member in members(directory):
        stream = isal_zlib.decompressobj(31)
        rest = member
        while not stream.eof:
            stream.decompress(rest, 1 << 20)
            rest = stream.unconsumed_tail


def zlib_again(directory: Path, _: Path) -> None:
    """What zipfile and gzip of the standard library would do: zlib in, zlib level 6 out."""
    for member in members(directory):
        stream = zlib.compressobj(6, zlib.DEFLATED, -15)
        stream.compress(zlib.decompress(member, 31))
        stream.flush()


def archive_one_thread(directory: Path, out: Path) -> None:
    """Our archive step in one thread: answers to day files, day files to the archive's bytes."""
    from flows.lake.archive_index import ArchiveIndex
    from flows.lake.weekly_archive import _pieces
    from flows.windows import IsoWeek

    files = {day: day_file(directory, out, day) for day in days()}
    index = ArchiveIndex("web", IsoWeek.of(MONDAY), {d: f.entry for d, f in files.items()})
    with (out / "archive.zip").open("wb") as file:
        for piece in _pieces(None, index, None, files):  # type: ignore[arg-type]
            file.write(piece)


def archive_two_threads(directory: Path, out: Path) -> None:
    """The same with days side by side, as the export does it."""
    from concurrent.futures import ThreadPoolExecutor

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda day: day_file(directory, out, day), days()))


def days() -> list[date]:
    return [MONDAY + timedelta(days=number) for number in range(DAYS)]


def day_file(directory: Path, out: Path, day: date) -> Any:
    from flows.lake.day_file import DayWriter
    from flows.vendors.amplitude_zip import read_hours
    from flows.windows import Window

    with DayWriter(out / f"{day}.deflate") as writer:
        for _, blocks in read_hours(directory / f"{day:%Y%m%d}.zip", Window.of_day(day)):
            writer.add_hour(blocks)
        return writer.finish(complete=True)


def speeds(directory: Path, size: int) -> list[Figure]:
    """MB/s of each way, in turn."""
    ways = {
        "isal inflate only (yardstick)": (inflate, None),
        "archive step, one thread": (archive_one_thread, AIM_MB_S),
        "archive step, days side by side": (archive_two_threads, AIM_MB_S),
        "zlib level 6 (standard library)": (zlib_again, None),
    }
    seconds: dict[str, list[float]] = {name: [] for name in ways}
    with tempfile.TemporaryDirectory(dir=directory.parent) as out:
        for round_number in range(ROUNDS):
            for name, (way, _) in ways.items():
                if way is zlib_again and round_number:
                    continue  # slow, and only there for scale
                started = time.perf_counter()
                way(directory, Path(out))
                seconds[name].append(time.perf_counter() - started)
    speed = {name: size / 1e6 / statistics.median(taken) for name, taken in seconds.items()}
    yardstick = speed["isal inflate only (yardstick)"]
    return [
        figure(
            name,
            speed[name],
            "MB/s",
            ratio=speed[name] / yardstick,
            aim=aim,
            holds=None if aim is None else speed[name] >= aim,
        )
        for name, (_, aim) in ways.items()
    ]


def size_against_deflate(directory: Path) -> Figure:
    """The archive must not be larger than deflate level 1 would make it."""
    with tempfile.TemporaryDirectory(dir=directory.parent) as out:
        ours = day_file(directory, Path(out), MONDAY).entry.deflated_bytes
    stream = zlib.compressobj(1, zlib.DEFLATED, -15)
    theirs = 0
    with zipfile.ZipFile(directory / f"{MONDAY:%Y%m%d}.zip") as answer:
        for info in answer.infolist():
            theirs += len(stream.compress(zlib.decompress(answer.read(info), 31)))
    theirs += len(stream.flush())
    aim = "ratio <= 1 to zlib level 1"
    return figure(
        "archive size", ours / 1e6, "MB", ratio=ours / theirs, aim=aim, holds=ours <= theirs
    )


def whole_exports(directory: Path, sizes: dict[int, int]) -> list[Figure]:
    """export_days in a process of its own, from HTTP into rclone's S3: time and memory."""
    from flows.sandbox.s3 import S3Server

    found: dict[int, dict[str, float]] = {}
    with S3Server(directory / "s3") as s3:
        for factor in sizes:
            bucket = s3.create_bucket(f"archive-{factor}x")
            with file_server(partial(answer_to, directory / f"{factor}x")) as base_url:
                os.environ |= s3.variables(bucket.name) | {
                    "AMPLITUDE_BASE_URL": base_url,
                    "AMPLITUDE_WEB_CLIENT_ID": "id",
                    "AMPLITUDE_WEB_SECRET_KEY": "secret",
                }
                found[factor] = in_new_process(export_week)
    figures = []
    for factor, measured in found.items():
        if measured["ndjson_bytes"] != sizes[factor]:
            raise SystemExit(f"{measured['ndjson_bytes']} bytes came instead of {sizes[factor]}")
        speed = sizes[factor] / 1e6 / measured["seconds"]
        figures.append(figure(f"whole export, {factor}x, HTTP to S3", speed, "MB/s"))
        speed = sizes[factor] / 1e6 / measured["replace_seconds"]
        figures.append(figure(f"one of {DAYS} days replaced, {factor}x", speed, "MB/s"))
    figures.append(figure("idle process (imports)", found[1]["idle_mb"], "MB peak"))
    return figures + memory_figures("export", {f: found[f]["peak_mb"] for f in found})


def answer_to(directory: Path, url: str) -> Path:
    """The prepared answer for the day that is asked."""
    return directory / f"{parse_qs(urlsplit(url).query)['start'][0][:8]}.zip"


def export_week() -> dict[str, float]:
    """Export the days, replace one, and say how long and in how much memory."""
    from flows.export_amplitude import export_days

    idle_mb = peak_mb()
    now = datetime(2025, 2, 1, tzinfo=UTC)
    started = time.perf_counter()
    done = export_days(days()[0], days()[-1], "web", now=lambda: now)
    exported = time.perf_counter()
    replace_a_day(done.archives[0].key)
    return {
        "seconds": exported - started,
        "replace_seconds": time.perf_counter() - exported,
        "ndjson_bytes": done.archives[0].ndjson_bytes,
        "idle_mb": idle_mb,
        "peak_mb": peak_mb(),
    }


def replace_a_day(key: str) -> None:
    """Put another second day into the archive; the other days are kept and checked on the way."""
    from flows.lake.bucket import open_bucket
    from flows.lake.day_file import DayWriter
    from flows.lake.weekly_archive import write_days
    from flows.windows import IsoWeek

    with tempfile.TemporaryDirectory() as directory:
        with DayWriter(Path(directory) / "day") as writer:
            writer.add_hour([b"{}\n"])
            file = writer.finish(complete=True)
        write_days(open_bucket(), key, "web", IsoWeek.of(MONDAY), {days()[1]: file})


if __name__ == "__main__":
    main()
