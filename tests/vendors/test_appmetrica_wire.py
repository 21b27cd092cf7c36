"""Each answer of the Logs API has one meaning, and no other module reads a status code."""

from datetime import UTC, date, datetime

import pytest

from flows.errors import BadRequest, Forbidden, VendorFailed, WindowTooLarge
from flows.vendors.appmetrica_exports import day_export, free_export, snapshot_export, table_of
from flows.vendors.appmetrica_tables import TABLES
from flows.vendors.appmetrica_wire import (
    Again,
    Answer,
    Busy,
    Data,
    Export,
    MoreParts,
    Question,
    Waiting,
    gave_up,
    poll_timed_out,
    too_many_parts,
    understand,
)

NOW = datetime(2025, 2, 1, tzinfo=UTC)
DAY = date(2025, 1, 6)
TOO_MANY = (
    b"There are already 3 enqueued queries for given application_id. Wait until they are completed."
)
MOVED = b"Your query is moved to the end of the queue due to provided Cache-Control restriction."


def question(parts_count: int = 1, part_number: int = 0) -> Question:
    export = day_export(1111, TABLES["events"], DAY)
    return Question.of_export("https://api.example/", "the-token", export, parts_count, part_number)


def test_a_day_is_asked_by_receipt_from_its_first_to_its_last_second() -> None:
    """Both ends are inclusive; the fields are the documented ones, in order."""
    asked = question()
    assert asked.url == "https://api.example/logs/v1/export/events.json"
    assert dict(asked.params) == {
        "application_id": "1111",
        "fields": ",".join(TABLES["events"].fields),
        "date_since": "2025-01-06 00:00:00",
        "date_until": "2025-01-06 23:59:59",
        "date_dimension": "receive",
    }
    assert asked.window == "events 2025-01-06"


def test_a_part_is_named_in_the_url_only_where_there_are_several() -> None:
    """A single part is the plain URL, and so the plain job."""
    assert question(4, 3).params[-2:] == (("parts_count", "4"), ("part_number", "3"))
    assert question(4, 3).window == "events 2025-01-06 part 3 of 4"
    assert question(4, 3).params[:-2] == question().params


def test_no_cache_is_sent_only_to_begin_anew() -> None:
    """On a poll it would begin the job again."""
    assert question().headers(anew=True) == {
        "Authorization": "OAuth the-token",
        "Cache-Control": "no-cache",
    }
    assert question().headers(anew=False) == {"Authorization": "OAuth the-token"}
    assert "the-token" not in repr(question())


@pytest.mark.parametrize(
    ("table", "dates", "dimension"),
    [(name, table.takes_dates, table.takes_date_dimension) for name, table in TABLES.items()],
)
def test_each_table_is_asked_with_what_it_takes(table: str, dates: bool, dimension: bool) -> None:
    """No field twice; dates and date_dimension only where the vendor knows them."""
    make = snapshot_export if table in ("profiles_v2", "push_tokens") else day_export
    export = make(1111, TABLES[table], DAY, *([DAY] if make is snapshot_export else []))
    params = dict(export.params)
    fields = params["fields"].split(",")
    assert len(fields) == len(set(fields))
    assert ("date_since" in params, "date_until" in params) == (dates, dates)
    assert params.get("date_dimension") == ("receive" if dimension else None)


def test_custom_attributes_are_asked_for_once_and_only_of_profiles() -> None:
    """One that is documented already, or named twice, would come twice."""
    names = ["ehr_id", "profile_id", "ehr_id", "Диагноз"]
    profiles = dict(snapshot_export(1, TABLES["profiles_v2"], DAY, DAY, names).params)
    assert profiles["fields"].split(",") == [*TABLES["profiles_v2"].fields, "ehr_id", "Диагноз"]
    tokens = dict(snapshot_export(1, TABLES["push_tokens"], DAY, DAY, names).params)
    assert tokens["fields"].split(",") == list(TABLES["push_tokens"].fields)
    for name in ("", " ", "a,b"):
        with pytest.raises(BadRequest, match="no profile attribute"):
            snapshot_export(1, TABLES["profiles_v2"], DAY, DAY, [name])


def test_a_free_export_has_what_it_is_given() -> None:
    """Own fields, own dates, any parameter; parts are the client's."""
    export = free_export(
        1, table_of("clicks"), ["click_id"], {"date_since": "a"}, {"limit": "5", "click_id": "x"}
    )
    assert export == Export(
        "clicks",
        (
            ("application_id", "1"),
            ("fields", "click_id"),
            ("date_since", "a"),
            ("limit", "5"),
            ("click_id", "x"),
        ),
        "clicks a",
    )
    with pytest.raises(BadRequest, match="part_number"):
        free_export(1, table_of("clicks"), None, {}, {"part_number": "1"})
    with pytest.raises(BadRequest, match="no table 'taps': choose from events, installations"):
        table_of("taps")


def test_a_job_s_id_is_its_url() -> None:
    """Another parameter is another job; the words for errors are no part of it."""
    export = day_export(1, TABLES["events"], DAY)
    assert export.job_id == Export(export.table, export.params, "other words").job_id
    assert len(export.job_id) == 16
    others = {
        day_export(2, TABLES["events"], DAY).job_id,
        day_export(1, TABLES["clicks"], DAY).job_id,
        day_export(1, TABLES["events"], date(2025, 1, 7)).job_id,
    }
    assert len(others | {export.job_id}) == 4


@pytest.mark.parametrize(
    ("status", "headers", "body", "meaning"),
    [
        (200, {}, b"", Data()),
        (200, {"rows-number": "12"}, b"", Data(12)),
        (200, {"rows-number": "many"}, b"", Data()),
        (202, {}, b"Your query is added to the queue.", Waiting()),
        (202, {}, b"Wait for result. Progress is 94%.", Waiting(94)),
        (202, {}, b"Wait for result", Waiting()),
        (202, {}, MOVED, Waiting()),
        (202, {}, b"", Waiting()),
        (400, {}, b"Too much data is requested. Try to use more parts.", MoreParts()),
        (400, {}, b'{"code":400,"message":"Try to use more parts."}', MoreParts()),
        (429, {}, TOO_MANY, Busy(f"status 429, {TOO_MANY.decode()!r}", 429)),
        (429, {"retry-after": "7"}, b"", Busy("status 429, nothing", 429, 7.0)),
        (420, {}, b"requests_by_login", Busy("status 420, 'requests_by_login'", 420)),
        (500, {}, b"", Again("status 500", 500)),
        (503, {"retry-after": "3"}, b"<html>", Again("status 503", 503, 3.0)),
        (504, {}, b"", Again("status 504", 504)),
        (408, {}, b"", Again("status 408", 408)),
    ],
)
def test_each_answer_has_its_meaning(
    status: int, headers: dict[str, str], body: bytes, meaning: Answer
) -> None:
    """Status, headers and the first bytes decide together."""
    assert understand(question(), status, headers, body, NOW) == meaning


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (b"Unknown field: 'ehr_idd'", "Unknown field: 'ehr_idd'"),
        (b'{"code":400,"message":"Unknown field: ehr_idd"}', "'Unknown field: ehr_idd'"),
        (b'{"message":5}', "'{\"message\":5}'"),
        (b"", "nothing"),
        (b"[" * 4000, "[[["),
    ],
)
def test_a_bad_request_is_said_in_the_vendor_s_words(body: bytes, said: str) -> None:
    """The vendor's sentence names the field; the error names table and day."""
    with pytest.raises(BadRequest) as caught:
        understand(question(), 400, {}, body, NOW)
    assert str(caught.value).startswith("AppMetrica refuses the request for events 2025-01-06: ")
    assert said in str(caught.value)
    assert len(str(caught.value)) < 600


@pytest.mark.parametrize("status", [401, 403])
def test_a_refusal_names_the_variables_and_the_host(status: int) -> None:
    """Forbidden says which token at which host, and never the token itself."""
    with pytest.raises(Forbidden) as caught:
        understand(question(), status, {}, b"Invalid token", NOW)
    error = caught.value
    assert (error.vendor, error.window, error.status) == (
        "appmetrica",
        "events 2025-01-06",
        status,
    )
    for word in ("APPMETRICA_API_KEY", "APPMETRICA_APPLICATION_ID", "api.example"):
        assert word in error.message
    assert "the-token" not in error.message


@pytest.mark.parametrize(
    ("status", "body"), [(404, b"<html>"), (404, b""), (301, b""), (410, b"Gone"), (204, b"")]
)
def test_what_no_repetition_will_change_points_at_the_address(status: int, body: bytes) -> None:
    """It fails at once."""
    with pytest.raises(VendorFailed, match="APPMETRICA_BASE_URL") as caught:
        understand(question(), status, {}, body, NOW)
    assert caught.value.status == status


def test_errors_say_what_the_last_answer_was() -> None:
    """A job that is not ready, trouble that lasts, and a window that never fits."""
    late = poll_timed_out(question(2, 1), Waiting(97), 300.4)
    assert isinstance(late, VendorFailed)
    assert (late.window, late.status) == ("events 2025-01-06 part 1 of 2", 202)
    assert late.message.startswith(
        "AppMetrica has events 2025-01-06 part 1 of 2 not ready after 300 s, last progress: 97 %."
    )
    trouble = gave_up(question(), Again("status 502", 502), 6)
    assert (type(trouble), trouble.status) == (VendorFailed, 502)
    assert trouble.message == (
        "AppMetrica kept failing for events 2025-01-06 at api.example: 6 tries, the last met"
        " status 502. Run again later."
    )
    assert isinstance(too_many_parts(question()), WindowTooLarge)
