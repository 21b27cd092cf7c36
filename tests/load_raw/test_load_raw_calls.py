"""A call that makes no sense, or would lose or double lines, is refused; others give values."""

import pytest
from raw_archives import KEY, SOURCE, lines, numbered, put, visible

from flows.errors import BadRequest
from flows.load_raw import load_archives
from flows.warehouse.file_loader import FileLoad


def test_start_after_may_not_skip_a_line(url, bucket):
    """It is accepted up to the last committed line of this very content, else it says how far."""
    put(bucket, lines(5))
    with pytest.raises(BadRequest, match="holds no line"):
        load_archives(SOURCE, key=KEY, start_after=0)
    load_archives(SOURCE)
    assert [x.status for x in load_archives(SOURCE, key=KEY, start_after=4).loads] == [
        "already loaded"
    ]
    with pytest.raises(BadRequest, match="lines 0 to 4"):
        load_archives(SOURCE, key=KEY, start_after=5)
    put(bucket, lines(9))
    with pytest.raises(BadRequest, match="lines 0 to 4"):
        load_archives(SOURCE, key=KEY, start_after=6)
    assert [x.rows for x in load_archives(SOURCE, key=KEY, start_after=2).loads] == [4]
    put(bucket, lines(9, 1))
    with pytest.raises(BadRequest, match="holds no line of this content"):
        load_archives(SOURCE, key=KEY, start_after=2)
    assert visible(url) == numbered((0, 9))


@pytest.mark.parametrize(
    ("arguments", "why"),
    [
        ({"source": "web"}, "unknown source 'web'; known are amplitude_web, amplitude_mobile"),
        ({"source": SOURCE, "prefix": "a/", "key": KEY}, "give prefix or key, not both"),
        ({"source": SOURCE, "start_after": 1}, "its key"),
        ({"source": SOURCE, "key": KEY, "start_after": -1}, "0-based"),
        ({"source": SOURCE, "key": "none.zip"}, "there is no object 'none.zip'"),
    ],
)
def test_bad_arguments_are_told(settings_env, arguments, why):
    """Nothing is loaded, and the sentence says what to change."""
    with pytest.raises(BadRequest, match=why):
        load_archives(**arguments)


def test_a_file_belongs_to_one_source(url, bucket):
    """Loading an archive of the web project as mobile would double its events."""
    put(bucket, lines(1))
    load_archives(SOURCE)
    put(bucket, lines(2))
    with pytest.raises(BadRequest, match="belongs to source amplitude_web"):
        load_archives("amplitude_mobile", key=KEY)


def test_a_prefix_without_archives_is_no_error(url):
    """Nothing exported yet: nothing to load."""
    assert load_archives(SOURCE, "nothing/").loads == ()


def test_the_result_is_plain_data(url, bucket):
    """Callers get values, not handles."""
    put(bucket, lines(1))
    (load,) = load_archives(SOURCE).loads
    assert load == FileLoad(1, KEY, "loaded", 0, 0, 1, 1, len(lines(1)), load.seconds)
