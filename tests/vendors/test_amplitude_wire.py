"""Each answer of the Export API has one meaning, and no other module reads a status code."""

from datetime import UTC, datetime, timedelta

import pytest

from flows.errors import Forbidden, VendorError, VendorFailed, WindowTooLarge
from flows.vendors.amplitude_wire import (
    Again,
    Answer,
    Data,
    NoData,
    NotReady,
    Question,
    TimedOut,
    TooLarge,
    gave_up,
    is_ready,
    timed_out,
    too_large,
    understand,
)
from flows.windows import Window

DAY = Window(datetime(2025, 1, 6, tzinfo=UTC), datetime(2025, 1, 7, tzinfo=UTC))
HOUR = Window(datetime(2025, 1, 6, 5, tzinfo=UTC), datetime(2025, 1, 6, 6, tzinfo=UTC))
LATER = datetime(2025, 2, 1, tzinfo=UTC)
NOT_FOUND = b"Raw data files were not found."


def question(window: Window = DAY) -> Question:
    return Question("https://analytics.eu.amplitude.com/", "mobile", window, "the-id", "the-secret")


def test_a_day_is_asked_from_its_first_to_its_last_hour_inclusive() -> None:
    """A whole day is T00 to T23 of the export path, with the key pair as basic auth."""
    asked = question()
    assert asked.url == "https://analytics.eu.amplitude.com/api/2/export"
    assert asked.params == {"start": "20250106T00", "end": "20250106T23"}
    assert asked.auth == ("the-id", "the-secret")


def test_one_hour_starts_and_ends_with_itself() -> None:
    """start equals end for a single hour."""
    assert question(HOUR).params == {"start": "20250106T05", "end": "20250106T05"}


def test_the_key_pair_is_never_shown() -> None:
    """Neither half of the pair stands in a question's text."""
    assert "the-secret" not in repr(question())
    assert "the-id" not in repr(question())


@pytest.mark.parametrize(
    ("status", "headers", "body", "meaning"),
    [
        (200, {}, b"PK\x03\x04\x14\x00", Data()),
        (200, {}, b"PK\x05\x06\x00\x00", Data()),
        (200, {}, b"", Again("a 200 that is no zip but nameless content", 200)),
        (200, {}, b"<html>", Again("a 200 that is no zip but '<html>'", 200)),
        (
            200,
            {"content-type": "application/json"},
            b'{"user_id": "a patient"}',
            Again("a 200 that is no zip but application/json content", 200),
        ),
        (404, {}, NOT_FOUND, NoData()),
        (404, {}, b"", NoData()),
        (404, {"content-type": "text/html"}, b"<html>" + NOT_FOUND, NoData()),
        (400, {}, b"The file size of the exported data is too large.", TooLarge()),
        (504, {}, b"", TimedOut()),
        (429, {}, b"slow down", Again("status 429", 429)),
        (429, {"retry-after": "7"}, b"", Again("status 429", 429, 7.0)),
        (500, {}, b"", Again("status 500", 500)),
        (502, {}, b"", Again("status 502", 502)),
        (503, {"retry-after": "Sat, 01 Feb 2025 00:00:30 GMT"}, b"", Again("status 503", 503, 30)),
    ],
)
def test_each_answer_has_its_meaning(
    status: int, headers: dict[str, str], body: bytes, meaning: Answer
) -> None:
    """Status, headers and the first bytes decide together, for hours that are old enough."""
    assert understand(question(), status, headers, body, LATER) == meaning


@pytest.mark.parametrize(
    ("now", "meaning"),
    [
        (datetime(2025, 1, 7, 1, 59, 59, tzinfo=UTC), NotReady()),
        (datetime(2025, 1, 7, 2, 0, 0, tzinfo=UTC), NoData()),
    ],
)
def test_a_404_is_no_data_only_once_the_last_hour_is_ready(now: datetime, meaning: Answer) -> None:
    """The hour 23 can be exported at 23:00 + 3 h, so a day is known to be empty at 02:00."""
    assert understand(question(), 404, {}, NOT_FOUND, now) == meaning
    assert is_ready(DAY, now) == (meaning == NoData())


@pytest.mark.parametrize("status", [401, 403])
def test_a_refusal_names_the_variables_and_the_region_host(status: int) -> None:
    """Forbidden says which key pair and which host, and never the pair itself."""
    with pytest.raises(Forbidden) as caught:
        understand(question(), status, {}, b"Invalid API Key", LATER)
    error = caught.value
    assert (error.vendor, error.window, error.status) == (
        "amplitude",
        "2025-01-06T00..2025-01-07T00",
        status,
    )
    assert "AMPLITUDE_MOBILE_CLIENT_ID and AMPLITUDE_MOBILE_SECRET_KEY" in error.message
    assert "analytics.eu.amplitude.com" in error.message
    assert "the-id" not in error.message
    assert "the-secret" not in error.message


@pytest.mark.parametrize(
    ("status", "headers", "body"),
    [
        (404, {"content-type": "text/html"}, b"<!DOCTYPE html>"),
        (404, {}, b"\n <html>"),
        (301, {}, b""),
        (410, {}, b"Gone"),
    ],
)
def test_a_wrong_address_is_no_empty_day(status: int, headers: dict[str, str], body: bytes) -> None:
    """What no repetition will change fails at once, and points at the base URL."""
    with pytest.raises(VendorFailed) as caught:
        understand(question(), status, headers, body, LATER)
    assert caught.value.status == status
    assert "AMPLITUDE_BASE_URL" in caught.value.message


def test_one_hour_above_the_limit_names_the_vendors_s3_export() -> None:
    """A 400 at one hour is an hour that is too large, with the way out."""
    error = too_large(question(HOUR))
    assert isinstance(error, WindowTooLarge)
    assert error.status == 400
    assert error.window == "2025-01-06T05..2025-01-06T06"
    assert "too large" in error.message
    assert "export to S3" in error.message


def test_a_time_out_is_never_called_too_large() -> None:
    """A 504 at one hour says time-out, with the same way out."""
    error = timed_out(question(HOUR))
    assert isinstance(error, WindowTooLarge)
    assert error.status == 504
    assert "timed out" in error.message
    assert "export to S3" in error.message
    assert "too large" not in error.message


def test_giving_up_says_what_the_last_try_met() -> None:
    """The error after the last try carries window, status and reason."""
    error: VendorError = gave_up(question(), Again("status 502", 502), 6)
    assert isinstance(error, VendorFailed)
    assert error.status == 502
    assert error.message == (
        "Amplitude kept failing for 2025-01-06T00..2025-01-07T00 (mobile) at"
        " analytics.eu.amplitude.com: 6 tries, the last met status 502. Run again later."
    )


def test_an_hour_is_ready_three_hours_after_its_start() -> None:
    """Hour H can be exported from H:00 + 3 h on."""
    assert not is_ready(HOUR, HOUR.start + timedelta(hours=2, minutes=59))
    assert is_ready(HOUR, HOUR.start + timedelta(hours=3))
