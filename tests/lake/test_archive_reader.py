"""An archive is read as a stream; what cannot be trusted is refused with its key and the reason."""

import io
import struct
import zipfile
import zlib

import pytest

from flows.errors import ArchiveFailed, Interrupted
from flows.lake.archive_reader import open_archive
from flows.lake.inflate import BLOCK_BYTES
from flows.lake.objects import ObjectChanged, ObjectVersion, look
from flows.settings import BOMB_FLOOR_BYTES, Limits

KEY = "amplitude/web/2025_week_02.zip"
LINES = b'{"event_type":"a"}\n' * 20_000
DATE_TIME = (1980, 1, 1, 0, 0, 0)


def zipped(
    *members: bytes,
    method: int = zipfile.ZIP_DEFLATED,
    comment: bytes = b"",
    name: str = "{}.ndjson",
) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", method) as archive:
        archive.comment = comment
        for number, member in enumerate(members):
            archive.writestr(zipfile.ZipInfo(name.format(number), DATE_TIME), member, method)
    return file.getvalue()


def put(bucket, body: bytes) -> ObjectVersion:
    bucket.client.put_object(Bucket=bucket.name, Key=KEY, Body=body)
    version = look(bucket, KEY)
    assert version is not None
    return version


def read(bucket, body: bytes) -> bytes:
    return b"".join(open_archive(bucket, KEY, put(bucket, body)).blocks())


def refusal(bucket, body: bytes) -> str:
    with pytest.raises(Interrupted) as caught:
        read(bucket, body)
    error = caught.value
    assert (error.reason, error.file_key, error.failed_line) == ("unreadable_file", KEY, None)
    return error.error_message.removeprefix(f"{KEY} cannot be read: ")


@pytest.mark.parametrize("method", [zipfile.ZIP_DEFLATED, zipfile.ZIP_STORED])
@pytest.mark.parametrize("content", [b"", b"x", LINES, bytes(range(256)) * 3000])
def test_a_member_comes_back_whole(bucket, method, content):
    """Deflated or stored, empty or larger than a block, the bytes are those that went in."""
    assert read(bucket, zipped(content, method=method, comment=b"c" * 65_535)) == content


def test_blocks_are_small(bucket):
    """Memory does not depend on the size of the member."""
    archive = open_archive(bucket, KEY, put(bucket, zipped(LINES * 10, comment=b"{}")))
    blocks = list(archive.blocks())
    assert max(map(len, blocks)) <= BLOCK_BYTES
    assert (archive.member, archive.comment, archive.ndjson_bytes, b"".join(blocks)) == (
        "0.ndjson",
        b"{}",
        len(LINES) * 10,
        LINES * 10,
    )


def test_zip64_and_streamed_headers_are_read(bucket):
    """A writer that did not know sizes in advance leaves them to zip64 fields and a descriptor."""

    class Unseekable(io.BytesIO):
        def seekable(self):
            return False

        def tell(self):
            raise io.UnsupportedOperation

        def seek(self, *_):
            raise io.UnsupportedOperation

    file = Unseekable()
    with (
        zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive,
        archive.open(zipfile.ZipInfo("0.ndjson", DATE_TIME), "w", force_zip64=True) as member,
    ):
        member.write(LINES)
    assert read(bucket, file.getvalue()) == LINES
    assert read(bucket, zip64(LINES)) == LINES


def zip64(content: bytes) -> bytes:
    """A zip whose sizes and offsets stand in zip64 fields alone."""
    name = b"0.ndjson"
    crc = zlib.crc32(content)
    extra = struct.pack("<HHQQ", 1, 16, len(content), len(content))
    local = struct.pack("<4s5HIIIHH", b"PK\3\4", 45, 0, 0, 0, 33, crc, *[2**32 - 1] * 2, 8, 20)
    body = local + name + extra + content
    extra = struct.pack("<HHQQQ", 1, 24, len(content), len(content), 0)
    central = struct.pack(
        "<4s6HIIIHHHHHII",
        *(b"PK\1\2", 45, 45, 0, 0, 0, 33, crc, *[2**32 - 1] * 2, 8, 28, 0, 0, 0, 0, 2**32 - 1),
    )
    central += name + extra
    end64 = struct.pack("<4sQHHIIQQQQ", b"PK\6\6", 44, 45, 45, 0, 0, 1, 1, len(central), len(body))
    locator = struct.pack("<4sIQI", b"PK\6\7", 0, len(body) + len(central), 1)
    end = struct.pack("<4s4HIIH", b"PK\5\6", 0, 0, *[2**16 - 1] * 2, *[2**32 - 1] * 2, 0)
    return body + central + end64 + locator + end


def patched(body: bytes, signature: bytes, offset: int, value: bytes) -> bytes:
    """The zip with bytes of its local (PK34) or central (PK12) header replaced."""
    start = body.rindex(signature) + offset
    return body[:start] + value + body[start + len(value) :]


LOCAL, CENTRAL = b"PK\3\4", b"PK\1\2"
GOOD = zipped(LINES)
MIDDLE = len(GOOD) // 2


@pytest.mark.parametrize(
    ("body", "why"),
    [
        (b"", "the object is empty"),
        (b"<html>Bad Gateway</html>", "it is no zip archive, or its directory is damaged"),
        (GOOD[:-30], "it is no zip archive, or its directory is damaged"),
        (zipped(), "it holds 0 members, not one"),
        (zipped(b"a", b"b"), "it holds 2 members, not one"),
        (
            patched(patched(GOOD, LOCAL, 6, b"\1\0"), CENTRAL, 8, b"\1\0"),
            "its member is encrypted",
        ),
        (patched(GOOD, LOCAL, 6, b"\1\0"), "its member is encrypted"),
        (zipped(LINES, method=zipfile.ZIP_LZMA), "its member is packed by method 14, not deflate"),
        *(
            (zipped(LINES, name=name), "its member bears a path or an absurd name")
            for name in (
                *("../w.ndjson", "/etc/passwd", "a/b.ndjson", "a\\b", "C:w", "..", "", "x" * 256),
                *("a\nb", "a\x1b[2J", "a\u202eb"),
            )
        ),
        (patched(GOOD, LOCAL, 0, b"XXXX"), "its member's header is damaged"),
        (
            patched(GOOD, CENTRAL, 20, struct.pack("<I", 2**31)),
            "its directory and its length contradict each other",
        ),
        (patched(GOOD, CENTRAL, 42, struct.pack("<I", 2**31)), "its member's header is missing"),
        (
            GOOD[:MIDDLE] + b"\xff" * 40 + GOOD[MIDDLE + 40 :],
            "the member's deflated bytes are damaged",
        ),
        (
            patched(GOOD, CENTRAL, 20, struct.pack("<I", 100)),
            "the member's deflated bytes are damaged",
        ),
        (
            patched(GOOD, CENTRAL, 16, b"\0\0\0\0"),
            "the member's CRC does not match: the file is damaged",
        ),
        (
            patched(GOOD, CENTRAL, 24, struct.pack("<I", len(LINES) - 1)),
            "the member is larger than the directory says",
        ),
        (
            patched(GOOD, CENTRAL, 24, struct.pack("<I", len(LINES) + 1)),
            "the member is shorter than the directory says",
        ),
    ],
)
def test_what_cannot_be_trusted_is_refused(bucket, body, why):
    """Each damage has its own sentence, and a key to look at."""
    assert refusal(bucket, body) == why


def test_a_bomb_is_refused_before_it_inflates(bucket):
    """A member that would inflate to more than 500 times its size is not inflated."""
    size = BOMB_FLOOR_BYTES + 1
    assert refusal(bucket, zipped(bytes(size))) == f"it would inflate to {size:,} bytes: a zip bomb"


@pytest.mark.parametrize(
    "limits", [{"archive_max_bytes": 1000}, {"archive_max_ratio": 2, "archive_max_bytes": 10**12}]
)
def test_limits_are_settings(bucket, limits):
    """A smaller limit refuses what the default takes, before a byte is inflated."""
    size = 1001 if "archive_max_ratio" not in limits else BOMB_FLOOR_BYTES + 1
    body = zipped(b"x" * size)
    version = put(bucket, body)
    if size == 1001:
        assert open_archive(bucket, KEY, version).ndjson_bytes == size
    with pytest.raises(Interrupted, match=f"would inflate to {size:,} bytes: a zip bomb"):
        open_archive(bucket, KEY, version, Limits(**limits))


def test_a_bomb_that_hides_its_size_stops_there(bucket):
    """A member may not inflate beyond what the directory promises: memory and time stay bounded."""
    body = patched(zipped(bytes(50_000_000)), CENTRAL, 24, struct.pack("<I", 1000))
    archive = open_archive(bucket, KEY, put(bucket, body))
    with pytest.raises(Interrupted, match="larger than the directory says"):
        list(archive.blocks())


def test_a_huge_directory_is_not_read(bucket):
    """Zip's directory would come into memory whole; a one-member archive has a small one."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        for number in range(12_000):
            archive.writestr(zipfile.ZipInfo(f"{number}.ndjson", DATE_TIME), b"")
    assert refusal(bucket, file.getvalue()).startswith("it is no zip archive")


def test_an_object_that_changes_meanwhile_is_noticed(bucket):
    """Bytes of two versions are never mixed."""
    archive = open_archive(bucket, KEY, put(bucket, GOOD))
    put(bucket, zipped(LINES, LINES))
    with pytest.raises(ObjectChanged):
        list(archive.blocks())


def test_an_object_that_vanishes_is_no_finding(bucket):
    """A missing object is the archive's trouble, not the data's."""
    archive = open_archive(bucket, KEY, put(bucket, GOOD))
    bucket.client.delete_object(Bucket=bucket.name, Key=KEY)
    with pytest.raises(ArchiveFailed):
        list(archive.blocks())
