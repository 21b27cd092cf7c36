"""An export is read row by row: each row as it was sent, and no row of a file that is not whole."""

import json
import tracemalloc
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flows.errors import VendorFailed
from flows.lake import json_text
from flows.vendors import appmetrica_json
from flows.vendors.appmetrica_json import read_rows


def read(tmp_path: Path, body: bytes) -> list[bytes]:
    path = tmp_path / "body.json"
    path.write_bytes(body)
    return list(read_rows(path, "events 2025-01-06"))


OBSERVED = '{\n"data" :\n[\n{"a":"1","b":"ё"},\n{"a":"2"}\n]\n}'.encode()


@pytest.mark.parametrize(
    ("body", "rows"),
    [
        (OBSERVED, ['{"a":"1","b":"ё"}'.encode(), b'{"a":"2"}']),
        (b'{"data":[]}', []),
        (b'{\n"data" :\n[\n]\n}\n', []),
        (b'\xef\xbb\xbf{"data":[{}]} \r\n', [b"{}"]),
        (b'{"data":[{"a":1},{"a":1}]}', [b'{"a":1}', b'{"a":1}']),
        # Line breaks between tokens become blanks, those in texts are escapes already.
        (b'{"data":[{\n  "a":\r\n "x\\ny"\n}]}', [b'{   "a":   "x\\ny" }']),
        # Forms that a parser would change stand as they were sent.
        (b'{"data":[{"a":1.50e+2,"a":"\\u0041\\/"}]}', [b'{"a":1.50e+2,"a":"\\u0041\\/"}']),
        (b'{"data":[{"a":"\\ud83d","b":"\\u0000"}]}', [b'{"a":"\\ud83d","b":"\\u0000"}']),
        (b'{"data":[{"a":"\xff\xfe\xed\xa0\x80"}]}', [b'{"a":"\xff\xfe\xed\xa0\x80"}']),
        (b'{"data":[{"a":{"b":[1,{"c":"]}"}]}}]}', [b'{"a":{"b":[1,{"c":"]}"}]}}']),
        (b'{"data":[{"a":' + b"9" * 9000 + b"}]}", [b'{"a":' + b"9" * 9000 + b"}"]),
    ],
)
def test_rows_stand_as_they_were_sent(tmp_path: Path, body: bytes, rows: list[bytes]) -> None:
    """One line per row, its bytes untouched."""
    assert read(tmp_path, body) == rows


@pytest.mark.parametrize(
    ("body", "why"),
    [
        (b"", "its end stands where {"),
        (b"<html>", "something else stands where {"),
        (b"a,b\n1,2", "something else stands where {"),
        (b'{"rows":[]}', 'something else stands where "data"'),
        (b'{"data":{}}', r"something else stands where \["),
        (b'{"data":[1]}', "an entry of data is no object"),
        (b'{"data":[[]]}', "an entry of data is no object"),
        (b'{"data":[null]}', "an entry of data is no object"),
        (b'{"data":[{"a":1},]}', "an entry of data is no object"),
        (b'{"data":[{"a":1}{"a":2}]}', r"something else stands where \]"),
        (b'{"data":[{"a":NaN}]}', "a row is cut or damaged"),
        (b'{"data":[{"a":-Infinity}]}', "a row is cut or damaged"),
        (b'{"data":[{"a":"x\ny"}]}', "a row is cut or damaged"),
        (b'{"data":[{"a":' + b"[" * 100_000, "a row is nested too deeply"),
        (b'{"data":[{"a":1}],"more":1}', "something else stands where }"),
        (b'{"data":[{"a":1}]}{"data":[]}', "there is more behind its end"),
    ],
)
def test_what_is_no_list_of_rows_is_broken(tmp_path: Path, body: bytes, why: str) -> None:
    """The error says why, with table and day, and bears no word of the file."""
    with pytest.raises(VendorFailed, match=why) as caught:
        read(tmp_path, body)
    assert (caught.value.window, caught.value.status) == ("events 2025-01-06", 200)


def test_every_cut_is_noticed(tmp_path: Path) -> None:
    """However little is missing."""
    for size in range(len(OBSERVED)):
        with pytest.raises(VendorFailed):
            read(tmp_path, OBSERVED[:size])


TEXT = st.text(st.characters(codec="utf-8"))
ROWS = st.lists(st.dictionaries(TEXT, TEXT | st.integers() | st.none() | st.lists(TEXT)))


@given(rows=ROWS, indent=st.sampled_from([None, 1]), ascii_=st.booleans(), size=st.integers(1, 40))
def test_rows_do_not_depend_on_where_reads_end(
    tmp_path_factory: pytest.TempPathFactory,
    rows: list[dict[str, object]],
    indent: int | None,
    ascii_: bool,
    size: int,
) -> None:
    """Any rows, any layout, read in pieces of any size, in the middle of a letter too."""
    body = json.dumps({"data": rows}, indent=indent, ensure_ascii=ascii_).encode()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(json_text, "_READ_BYTES", size)
        found = read(tmp_path_factory.mktemp("json"), body)
    assert [json.loads(row) for row in found] == rows
    assert not any(b"\n" in row or b"\r" in row for row in found)


@pytest.mark.parametrize("separator", [",", ",\n"])
def test_memory_does_not_grow_with_the_file(tmp_path: Path, separator: str) -> None:
    """20 MB of rows on one line or on many need a few MB."""
    path = tmp_path / "large.json"
    row = json.dumps({"event_json": "ж" * 500})
    with path.open("w") as file:
        file.write('{"data":[')
        file.writelines(row + separator for _ in range(20_000 * 2 // 6))
        file.write(row + "]}")
    tracemalloc.start()
    count = sum(1 for _ in read_rows(path, "events"))
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert count == 6667
    assert path.stat().st_size > 19_000_000
    assert peak < 12_000_000


def test_a_row_without_an_end_is_given_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Damage that swallows the rest of the file is not read into memory whole."""
    monkeypatch.setattr(json_text, "_READ_BYTES", 100)
    monkeypatch.setattr(appmetrica_json, "_LONGEST_ROW", 1000)
    with pytest.raises(VendorFailed, match="cut or damaged"):
        read(tmp_path, b'{"data":[{"a":"' + b"x" * 10_000 + b'"}]}')
