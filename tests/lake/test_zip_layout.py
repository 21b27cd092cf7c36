"""The bytes around the member make a zip that any reader understands, zip64 included."""

import io
import zipfile
import zlib
from pathlib import Path

import pytest

from flows.lake.zip_layout import TAIL_BYTES, Member, head, parse_tail, tail

COMMENT = b'{"days":{}}'


def archive(content: bytes) -> tuple[bytes, Member]:
    stream = zlib.compressobj(1, zlib.DEFLATED, -15)
    deflated = stream.compress(content) + stream.flush()
    member = Member("2025_week_02.ndjson", zlib.crc32(content), len(content), len(deflated))
    return head(member) + deflated + tail(member, COMMENT), member


def test_a_zip_of_ours_is_read_by_zipfile() -> None:
    """Name, content, checksum and comment come out as they went in; its time is fixed."""
    data, member = archive(b"a\nb\n" * 1000)
    with zipfile.ZipFile(io.BytesIO(data)) as opened:
        (info,) = opened.infolist()
        assert opened.read(info) == b"a\nb\n" * 1000
        assert opened.comment == COMMENT
        assert info.filename == "2025_week_02.ndjson"
        assert info.date_time == (1980, 1, 1, 0, 0, 0)
    assert parse_tail(data[-TAIL_BYTES:]) == (member, COMMENT)


@pytest.mark.parametrize(
    ("plain_bytes", "deflated_bytes"),
    [
        (0xFFFFFFFE, 1000),
        (0xFFFFFFFF, 1000),
        (20 * 2**30, 1000),
        (20 * 2**30, 0xFFFFFFFF - 49),  # the directory begins right below and right above 4 GiB
        (20 * 2**30, 0xFFFFFFFF - 100),
        (40 * 2**30, 0xFFFFFFFF),
        (40 * 2**30, 6 * 2**30),
    ],
)
def test_sizes_above_four_gigabytes_are_kept(
    tmp_path: Path, plain_bytes: int, deflated_bytes: int
) -> None:
    """zipfile finds member and sizes in a (sparse) archive of any size, and so do we."""
    member = Member("2025_week_02.ndjson", 0x12345678, plain_bytes, deflated_bytes)
    path = tmp_path / "large.zip"
    with path.open("wb") as file:
        file.write(head(member))
        file.seek(len(head(member)) + deflated_bytes)
        file.write(tail(member, COMMENT))
    with zipfile.ZipFile(path) as opened:
        (info,) = opened.infolist()
        assert (info.file_size, info.compress_size, info.CRC, info.header_offset) == (
            plain_bytes,
            deflated_bytes,
            0x12345678,
            0,
        )
        assert opened.comment == COMMENT
        opened.open(info).close()  # reads the member's own header too
    with path.open("rb") as file:
        file.seek(max(0, path.stat().st_size - TAIL_BYTES))
        assert parse_tail(file.read()) == (member, COMMENT)


def foreign(members: int = 1, method: int = zipfile.ZIP_DEFLATED) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", method) as opened:
        for number in range(members):
            opened.writestr(f"{number}.ndjson", "x\n")
    return buffer.getvalue()


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"PK\x05\x06",
        b"no zip at all" * 100,
        archive(b"a\n")[0][:-1],
        archive(b"a\n")[0] + b"!",
        archive(b"a\n")[0][-40:],
        foreign(),
        foreign(0),
        foreign(2),
        foreign(1, zipfile.ZIP_STORED),
    ],
    ids=[
        "empty",
        "only a mark",
        "text",
        "cut",
        "with a byte more",
        "without directory",
        "by zipfile",
        "no member",
        "two members",
        "stored",
    ],
)
def test_what_is_not_ours_is_not_read(data: bytes) -> None:
    """Anything else is a ValueError with a reason, never a guess."""
    with pytest.raises(ValueError, match=r"^it|^its"):
        parse_tail(data)
