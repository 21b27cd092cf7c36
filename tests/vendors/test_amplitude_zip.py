"""An export is read in time order, whatever the order of its members, and no damage goes unseen."""

import gzip
import zipfile
from datetime import UTC, datetime
from pathlib import Path

import pytest

from flows.errors import VendorFailed
from flows.settings import BOMB_FLOOR_BYTES, Limits
from flows.vendors.amplitude_zip import read_hours
from flows.windows import Window

DAY = Window(datetime(2025, 1, 6, tzinfo=UTC), datetime(2025, 1, 7, tzinfo=UTC))
P = "434735/434735_2025-01-06_"


def write_zip(path: Path, members: dict[str, bytes], method: int = zipfile.ZIP_STORED) -> Path:
    with zipfile.ZipFile(path, "w", method) as archive:
        for name, data in members.items():
            archive.writestr(zipfile.ZipInfo(name), data, method)
    return path


def read(path: Path, window: Window = DAY) -> list[tuple[int, bytes]]:
    return [(hour.hour, b"".join(blocks)) for hour, blocks in read_hours(path, window)]


@pytest.mark.parametrize("method", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
def test_members_come_in_time_order_then_by_partition(tmp_path: Path, method: int) -> None:
    """The hour is a number, not a text: 9 comes before 10, partition 70 before 627."""
    path = write_zip(
        tmp_path / "x.zip",
        {
            "434735/": b"",
            f"{P}10#70.json.gz": gzip.compress(b"c\n"),
            f"{P}9#627.json.gz": gzip.compress(b"b\n"),
            f"{P}9#70.json.gz": gzip.compress(b"a\n"),
        },
        method,
    )
    assert read(path) == [(9, b"a\nb\n"), (10, b"c\n")]


def test_a_missing_last_newline_does_not_join_two_events(tmp_path: Path) -> None:
    """A member that ends in mid-line is closed before the next begins."""
    path = write_zip(
        tmp_path / "x.zip",
        {f"{P}0#1.json.gz": gzip.compress(b"a"), f"{P}0#2.json.gz": gzip.compress(b"b")},
    )
    assert read(path) == [(0, b"a\nb\n")]


def test_gzip_streams_behind_each_other_are_one_member(tmp_path: Path) -> None:
    """Several streams in a member are read one after the other; an empty one adds nothing."""
    data = gzip.compress(b"a\n") + gzip.compress(b"") + gzip.compress(b"b\n")
    path = write_zip(tmp_path / "x.zip", {f"{P}0#1.json.gz": data, f"{P}1#1.json.gz": b""})
    assert read(path) == [(0, b"a\nb\n"), (1, b"")]


def test_a_member_larger_than_any_block_comes_whole(tmp_path: Path) -> None:
    """Blocks put together are the member, also when it inflates to a thousand times its size."""
    content = b"0123456789abcdef\n" * 1_000_000
    path = write_zip(tmp_path / "x.zip", {f"{P}0#1.json.gz": gzip.compress(content)})
    assert read(path) == [(0, content)]


def test_an_empty_zip_is_a_zip_without_hours(tmp_path: Path) -> None:
    """No members, no hours, no error."""
    assert read(write_zip(tmp_path / "x.zip", {})) == []


CONTENT = b"".join(b'{"event_id": %d}\n' % number for number in range(5000))


def spoilt(position: int) -> bytes:
    data = bytearray(gzip.compress(CONTENT))
    data[position] ^= 0xFF
    return bytes(data)


@pytest.mark.parametrize(
    "members",
    [
        {f"{P}0#1.json.gz": gzip.compress(CONTENT)[:-9]},
        {f"{P}0#1.json.gz": gzip.compress(CONTENT)[:-4]},
        {f"{P}0#1.json.gz": gzip.compress(CONTENT)[:7]},
        {f"{P}0#1.json.gz": spoilt(-1)},
        {f"{P}0#1.json.gz": spoilt(-5)},
        {f"{P}0#1.json.gz": spoilt(3000)},
        {f"{P}0#1.json.gz": spoilt(0)},
        {f"{P}0#1.json.gz": b"no gzip"},
        {f"{P}0#1.json.gz": gzip.compress(CONTENT) + b"rest"},
        {f"{P}24#1.json.gz": gzip.compress(CONTENT)},
        {"434735/434735_2025-13-06_0#1.json.gz": gzip.compress(CONTENT)},
        {"434735/434735_2025-01-07_0#1.json.gz": gzip.compress(CONTENT)},
        {"434735/readme.txt": b"hello"},
        *(
            {f"{path}434735_2025-01-06_0#1.json.gz": gzip.compress(CONTENT)}
            for path in ("../", "/", "a/b/", "a\\", "C:", "a\x1b[2J")
        ),
        {"": b""},
        {f"{'x' * 60_000}/434735_2025-01-06_24#1.json.gz": b""},
    ],
    ids=[
        "cut before the trailer",
        "cut in the trailer",
        "cut in the header",
        "wrong length",
        "wrong crc",
        "spoilt data",
        "spoilt magic",
        "no gzip",
        "garbage behind",
        "hour 24",
        "month 13",
        "another day",
        "foreign name",
        *(
            "parent",
            "root",
            "nested",
            "backslash",
            "drive",
            "control character",
            "no name",
            "long name",
        ),
    ],
)
def test_damage_in_a_member_is_a_broken_answer(tmp_path: Path, members: dict[str, bytes]) -> None:
    """Whatever is wrong inside, the answer is broken as a whole; nothing is skipped."""
    path = write_zip(tmp_path / "x.zip", members)
    with pytest.raises(VendorFailed, match="is broken") as caught:
        read(path)
    assert (caught.value.vendor, caught.value.window) == ("amplitude", str(DAY))
    assert len(str(caught.value)) < 500


def test_a_bomb_stops_while_it_inflates(tmp_path: Path) -> None:
    """Zip around gzip around zeros: what came out is weighed against the whole file."""
    bomb = gzip.compress(gzip.compress(bytes(2 * BOMB_FLOOR_BYTES)))
    members = {f"{P}0#1.json.gz": gzip.decompress(bomb), f"{P}1#1.json.gz": b""}
    path = write_zip(tmp_path / "x.zip", members, zipfile.ZIP_DEFLATED)
    taken: list[int] = []
    with pytest.raises(VendorFailed, match="a zip bomb"):
        taken.extend(len(block) for _, blocks in read_hours(path, DAY) for block in blocks)
    assert sum(taken) <= BOMB_FLOOR_BYTES + max(taken)


def test_too_many_members_are_refused_by_setting(tmp_path: Path) -> None:
    """One more than the setting allows; and a directory beyond all measure is not even read."""
    members = {f"{P}{hour}#{part}.json.gz": b"" for hour in range(20) for part in range(20)}
    path = write_zip(tmp_path / "x.zip", members)
    assert len(list(read_hours(path, DAY, Limits(archive_max_members=400)))) == 20
    with pytest.raises(VendorFailed, match="too many members"):
        list(read_hours(path, DAY, Limits(archive_max_members=399)))
    write_zip(path, {f"{P}0#{part}.json.gz": b"" for part in range(8000)})
    with pytest.raises(VendorFailed, match="its directory is too large"):
        list(read_hours(path, DAY, Limits(archive_max_members=1)))


@pytest.mark.parametrize("keep", [4, 0.3, 0.5, 0.9, -1])
def test_a_cut_zip_is_a_broken_answer(tmp_path: Path, keep: float) -> None:
    """A zip without its end is never taken for a short one."""
    whole = write_zip(
        tmp_path / "x.zip", {f"{P}{hour}#1.json.gz": gzip.compress(CONTENT) for hour in range(5)}
    ).read_bytes()
    length = int(keep) if isinstance(keep, int) else int(len(whole) * keep)
    cut = tmp_path / "cut.zip"
    cut.write_bytes(whole[:length])
    with pytest.raises(VendorFailed, match="is broken"):
        read(cut)


def test_a_spoilt_stored_member_is_seen_by_the_zips_own_checksum(tmp_path: Path) -> None:
    """A bit that turns in transit is found, wherever it stands."""
    path = write_zip(tmp_path / "x.zip", {f"{P}0#1.json.gz": gzip.compress(CONTENT)})
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)
    with pytest.raises(VendorFailed, match="is broken"):
        read(path)
