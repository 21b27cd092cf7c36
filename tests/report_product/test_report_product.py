"""The page says what pandas says, tells what stopped, and shows no patient's value."""

import re
from datetime import date, datetime, timedelta

import pytest
from bucket_contents import body_of, keys_in
from logins import as_user, logins
from page_world import END, LATER, PATIENT, START, World
from prefect.client.orchestration import get_client

from benchmarks.page_by_pandas import differences
from benchmarks.page_tables import read_page
from flows.errors import BadRequest, WarehouseFailed
from flows.lake.bucket import Bucket, open_bucket
from flows.report_product import report_product, write_page
from flows.sandbox.prefect_server import PrefectServer
from flows.settings import Dwh

KEY = f"reports/product/{START}_{END}.html"


def html_of(key: str) -> str:
    return body_of(open_bucket(), key).decode()


@pytest.mark.parametrize(
    ("start", "end"),
    [
        (START, END),
        (date(2024, 3, 13), date(2024, 3, 13)),
        (date(2024, 2, 28), date(2024, 3, 5)),
        (START, LATER),
    ],
)
def test_every_number_of_events_is_pandas_own(page_env: World, start: date, end: date) -> None:
    """Of the clicks that are shipped: all days, one, a few that begin before them, and beyond."""
    page = write_page(start, end)
    of_import = end < LATER
    events = page_env.events
    wrong = differences(html_of(page.key), events, "UTC", start, end)
    if not of_import:  # the table has a column for each source, too
        wrong = [one for one in wrong if not one.startswith("Active users by day")]
    assert wrong == []


def test_the_comparison_finds_a_number_that_is_wrong(page_env: World) -> None:
    """One click less, and pandas disagrees in each table."""
    html = html_of(write_page(START, END).key)
    found = differences(html, page_env.events.iloc[1:], "UTC", START, END)
    assert {one.split(",")[0].split(":")[0] for one in found} >= {"Most frequent events", "Events"}


def test_a_change_is_told_where_as_many_days_before_are_known(page_env: World) -> None:
    """The third week beside the second; the first one has none before it."""
    monday, sunday = date(2024, 3, 18), date(2024, 3, 24)
    days = page_env.events["event_time"].dt.date
    now, before = (
        sum((days >= first) & (days <= first + timedelta(days=6)))
        for first in (monday, monday - timedelta(days=7))
    )
    changed = f"{(now - before) / before:+.1%}".replace("-", "−")
    assert f"{changed} against the 7 days before" in html_of(write_page(monday, sunday).key)
    assert "days before" not in html_of(write_page(START, START + timedelta(days=6)).key)


def test_the_object_is_html_and_the_same_days_take_its_place(page_env: World) -> None:
    """One object for these days, with its type; the result says where and how large."""
    write_page(START, END)
    page = write_page(f"{START:%Y%m%d}", str(END))
    bucket = open_bucket()
    assert (page.key, page.uri) == (KEY, f"s3://page/{KEY}")
    assert keys_in(bucket).count(KEY) == 1
    head = bucket.client.head_object(Bucket=bucket.name, Key=KEY)
    assert head["ContentType"] == "text/html; charset=utf-8"
    assert head["ContentLength"] == page.size_bytes == len(body_of(bucket, KEY))
    assert str(page) == (
        f"s3://page/{KEY}: 114 active users, 1,499 events, 0 sessions from {START} to {END}"
    )


def test_interruptions_name_file_line_and_key_and_no_value(page_env: World) -> None:
    """What waits before the gate comes first, then failed and withdrawn loads."""
    html = html_of(write_page(LATER, LATER).key)
    tables, _ = read_page(html)
    rows = tables["What was stopped or left out, newest first"]
    assert [list(row.values())[1:] for row in rows] == [
        ["held back by the gate", "amplitude_web", "amplitude/web/2024_week_23.zip",
         "0", "shoe_size", "1", "unknown key"],
        ["withdrawn by a person", "amplitude_web", "amplitude/web/2024_week_01.zip",
         "–", "–", "1", "sent by a <test> device"],
        ["load failed", "appmetrica", "appmetrica/1/events/2024-06-05.ndjson.gz",
         "7", "–", "1", "line 7 is no JSON"],
    ]  # fmt: skip
    assert PATIENT not in html


def test_the_state_of_the_data_is_told_by_source(page_env: World) -> None:
    """Events of the days, newest day, archive and last load; verdicts of the archive's days."""
    tables, _ = read_page(html_of(write_page(LATER, LATER).key))
    fresh = {row["Source"]: row for row in tables["How far each source is"]}
    assert {name: row["Events in these days"] for name, row in fresh.items()} == {
        "amplitude_mobile": "3",
        "amplitude_web": "3",
        "appmetrica": "0",
        "import": "0",
    }
    assert fresh["amplitude_web"]["Newest event"].startswith(f"{LATER} (")
    assert fresh["amplitude_web"]["Archived up to"] == str(LATER)
    assert fresh["import"]["Newest event"].startswith("2024-03-31 (")
    assert fresh["appmetrica"]["Last load"] == "–"
    verdicts = {
        row["Source"]: (row["Verdict"], row["Events archived"], row["Reasons"])
        for row in tables["Archive against tables, by source and day"]
        if row["Day"] == str(LATER)
    }
    assert verdicts == {
        "amplitude_mobile": ("complete", "3", ""),
        "amplitude_web": ("hole", "4", "1 loaded lines are gone from raw"),
    }


def test_who_may_read_the_tables_may_write_the_page(page_env: World) -> None:
    """The role dwh_analyst is enough: nothing is read of intermediate."""
    url = page_env.variables["DWH_DATABASE_URL"]
    analyst = Dwh(database_url=as_user(url, logins(url)["dwh_analyst"]))
    page = write_page(LATER, LATER, settings=analyst)
    assert page.figures.headline == write_page(LATER, LATER).figures.headline
    assert len(page.figures.interruptions) == 3
    assert page.figures.archived_days


def test_sessions_are_told_by_source(page_env: World) -> None:
    """A session of four minutes on each device."""
    tables, cards = read_page(html_of(write_page(LATER, LATER).key))
    assert tables["Sessions by day"] == [
        {
            "Day": str(LATER),
            "All sources": "2",
            "amplitude_mobile": "1",
            "amplitude_web": "1",
            "Events in them": "6",
            "Mean length": "4 min 0 s",
            "Median length": "4 min 0 s",
        }
    ]
    assert cards["Sessions"] == "2"


def test_days_are_those_of_the_time_zone(page_env: World) -> None:
    """The page names it, and tells its own time in it."""
    zone = "Pacific/Auckland"
    settings = Dwh(database_url=page_env.variables["DWH_DATABASE_URL"], time_zone=zone)
    page = write_page(START, END, settings=settings)
    html = html_of(page.key)
    assert "28 days in time zone Pacific/Auckland" in html
    assert re.search(r"made 20\d\d-\d\d-\d\d \d\d:\d\d<", html)


def test_without_dates_the_last_four_whole_weeks_are_shown(page_env: World) -> None:
    """From a Monday to the last Sunday that is over."""
    page = write_page()
    assert (page.start.weekday(), page.end.weekday(), (page.end - page.start).days) == (0, 6, 27)
    assert 1 <= (datetime.now().date() - page.end).days <= 8
    assert str(page).endswith(f"no events are known from {page.start} to {page.end}")


@pytest.mark.parametrize(
    ("days", "reason"),
    [
        ((END, START), "end 2024-03-04 is before start"),
        (("2024-01-01", "2025-01-01"), "are 367 days: a page has at most 366"),
        ((START, None), "give both start and end, or neither"),
        (("today", END), "'today' is no day"),
    ],
)
def test_odd_spans_are_refused_before_anything_is_written(page_env, days, reason) -> None:
    """The sentence says what to change."""
    with pytest.raises(BadRequest, match=reason):
        write_page(*days)


def test_what_is_not_built_is_said_so(settings_env, bucket: Bucket) -> None:
    """And nothing is written."""
    with pytest.raises(WarehouseFailed, match="not built yet: run transform"):
        write_page(START, END)
    assert keys_in(bucket) == []


@pytest.mark.parametrize(
    ("base", "link"),
    [("", f"s3://page/{KEY}"), ("https://files.example.org/", f"https://files.example.org/{KEY}")],
)
def test_the_flow_links_to_the_page_without_a_secret(
    page_env: World, prefect_server: PrefectServer, monkeypatch, base: str, link: str
) -> None:
    """Its artifacts hold the address, the first numbers, and no key of S3."""
    monkeypatch.setenv("S3_BROWSE_URL", base)
    page = report_product(START, END)
    with get_client(sync_client=True) as client:
        newest_last = sorted(client.read_artifacts(), key=lambda artifact: artifact.created)
    shown = {one.key: str(one.data) for one in newest_last}
    assert link in shown["product-page"]
    assert f"[Product statistics, {START} to {END}]" in shown["product-page"]
    assert "| active users | 114 |" in shown["product-summary"]
    assert "| kinds of findings that the gate holds back | 1 |" in shown["product-summary"]
    assert page.uri in shown["product-summary"]
    for text in shown.values():
        assert "sandbox-secret" not in text
        assert "X-Amz" not in text
