"""A day's file holds its lines byte for byte, and does not depend on how they arrived."""

import random
import zlib
from itertools import pairwise
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from flows.lake.archive_index import DayEntry
from flows.lake.day_file import BLOCK_BYTES, FINAL_BLOCK, DayFile, DayWriter, tidy


def cut(content: bytes, positions: list[int]) -> list[bytes]:
    borders = [0, *sorted(min(position, len(content)) for position in positions), len(content)]
    return [content[a:b] for a, b in pairwise(borders)]


@given(
    st.lists(st.sampled_from([b"a", b"b c", b" ", b"", b"\r", b"\t ", b" x ", b"\n"])),
    st.booleans(),
    st.lists(st.integers(0, 60)),
)
def test_tidy_drops_blank_lines_and_nothing_else(
    lines: list[bytes], ends: bool, positions: list[int]
) -> None:
    """However the bytes are cut, every line that is not blank stays as it is, with its newline."""
    content = b"\n".join(lines) + (b"\n" if ends else b"")
    expected = b"".join(line + b"\n" for line in content.split(b"\n") if line.strip())
    assert b"".join(tidy(cut(content, positions))) == expected


def write(path: Path, hours: list[list[bytes]], *, complete: bool = True) -> DayFile:
    with DayWriter(path) as writer:
        for blocks in hours:
            writer.add_hour(blocks)
        return writer.finish(complete=complete)


def inflate(file: DayFile) -> bytes:
    return zlib.decompress(file.path.read_bytes() + FINAL_BLOCK, -15)


def content(seed: int, size: int) -> bytes:
    rng = random.Random(seed)
    line = b""
    lines = []
    while size > 0:
        line = b'{"event_id": %d, "text": "%s"}\n' % (
            rng.getrandbits(40),
            b"abc" * rng.randint(0, 200),
        )
        lines.append(line)
        size -= len(line)
    return b"".join(lines)


def test_the_entry_counts_what_the_file_holds(tmp_path: Path) -> None:
    """Bytes, lines, CRC-32 and deflated bytes are those of the day; empty hours leave no trace."""
    first, second = content(1, 3 * BLOCK_BYTES), content(2, 1000)
    file = write(tmp_path / "day", [[first], [], [b"\n \n"], [second]], complete=False)
    assert inflate(file) == first + second
    assert file.entry == DayEntry(
        bytes=len(first + second),
        complete=False,
        crc32=zlib.crc32(first + second),
        deflated_bytes=file.path.stat().st_size,
        lines=(first + second).count(b"\n"),
    )


def test_the_bytes_do_not_depend_on_how_an_hour_arrived(tmp_path: Path) -> None:
    """The same lines in other pieces make the same file: isal alone would not do that."""
    hour = content(3, 3 * BLOCK_BYTES)
    whole = write(tmp_path / "whole", [[hour]])
    rng = random.Random(4)
    pieces = cut(hour, [rng.randrange(len(hour)) for _ in range(200)])
    pieced = write(tmp_path / "pieced", [pieces])
    assert pieced.entry == whole.entry
    assert pieced.path.read_bytes() == whole.path.read_bytes()


def test_a_day_without_lines_is_an_empty_file(tmp_path: Path) -> None:
    """No hour, no bytes; the archive's final block makes a stream of it."""
    file = write(tmp_path / "day", [])
    assert file.entry == DayEntry(0, True, 0, 0, 0)
    assert inflate(file) == b""


def test_returning_to_a_mark_leaves_no_trace_of_what_was_behind_it(tmp_path: Path) -> None:
    """A broken answer that was half written is forgotten."""
    first, second, broken = content(5, 5000), content(6, 5000), content(7, 3 * BLOCK_BYTES)
    straight = write(tmp_path / "straight", [[first], [second]])
    with DayWriter(tmp_path / "day") as writer:
        writer.add_hour([first])
        mark = writer.mark
        writer.add_hour([broken])
        writer.return_to(mark)
        writer.add_hour([second])
        file = writer.finish(complete=True)
    assert file.entry == straight.entry
    assert file.path.read_bytes() == straight.path.read_bytes()
