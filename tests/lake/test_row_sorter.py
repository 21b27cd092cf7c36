"""Any number of rows come back in the order of their bytes, each as often as it was put in."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flows.lake.row_sorter import RowSorter

ROW = st.binary(max_size=12).filter(lambda row: b"\n" not in row)


def rows_of(sorter: RowSorter) -> list[bytes]:
    return b"".join(sorter.pieces()).splitlines(keepends=True)


@given(parts=st.lists(st.lists(ROW), max_size=4), run_bytes=st.integers(1, 60))
def test_runs_and_parts_leave_no_trace(
    tmp_path_factory: pytest.TempPathFactory, parts: list[list[bytes]], run_bytes: int
) -> None:
    """However small the runs and however many the parts, the order is that of one sort."""
    sorter = RowSorter(tmp_path_factory.mktemp("runs"), run_bytes)
    for number, rows in enumerate(parts):
        assert sorter.put(number, iter(rows)) == len(rows)
    wanted = sorted(row + b"\n" for rows in parts for row in rows)
    assert b"".join(sorter.pieces()) == b"".join(wanted)
    assert sorter.rows == len(wanted)


def test_a_part_that_comes_again_replaces_itself(tmp_path: Path) -> None:
    """Also where it broke off before; its runs leave the disk."""
    sorter = RowSorter(tmp_path, run_bytes=2)
    sorter.put(0, [b"b", b"a"])
    sorter.put(1, [b"x"])

    def breaks_off():
        yield from (b"c", b"d", b"e")
        raise ValueError

    with pytest.raises(ValueError):
        sorter.put(1, breaks_off())
    assert rows_of(sorter) == [b"a\n", b"b\n"]
    sorter.put(1, [b"aa"])
    assert rows_of(sorter) == [b"a\n", b"aa\n", b"b\n"]
    sorter.forget()
    assert (rows_of(sorter), sorter.rows, list(tmp_path.iterdir())) == ([], 0, [])
