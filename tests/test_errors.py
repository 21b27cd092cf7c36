"""Every error of the family arrives whole in another process, and says what it must."""

import pickle

import pytest

from flows import errors
from flows.errors import (
    ArchiveFailed,
    BadRequest,
    BuildFailed,
    DiskFull,
    DwhHelperError,
    EmptyRange,
    EndBeforeStart,
    Forbidden,
    Interrupted,
    MissingSetting,
    NotReconciled,
    RowFinding,
    RowsRefused,
    SourcesFailed,
    Stopped,
    UnknownUser,
    VendorError,
    VendorFailed,
    WarehouseBusy,
    WarehouseFailed,
    WindowTooLarge,
)

INTERRUPTED = Interrupted(
    "unknown key 'x' in a.zip line 3",
    reason="unknown_key",
    file_key="a.zip",
    failed_line=3,
    last_successful_line=2,
    findings={"unknown_key": 4, "invalid_date": 1},
)
EVERY = [
    BadRequest("end 2025-01-01 is before start 2025-01-02"),
    RowsRefused("events_part", [RowFinding(0, "event_type", "is missing")], 25),
    UnknownUser("the CRM has no user 7"),
    EndBeforeStart("end 2025-01-01 is before start 2025-01-02"),
    EmptyRange("user 7 has no telemetry at all"),
    MissingSetting("DWH_DATABASE_URL is missing"),
    VendorError("no answer", vendor="amplitude", window="2025-01-06T00..2025-01-07T00", status=500),
    Forbidden("refused", vendor="amplitude", status=403),
    WindowTooLarge("too large", vendor="amplitude", window="2025-01-06T00..2025-01-06T01"),
    VendorFailed("gave up", vendor="amplitude"),
    ArchiveFailed("not what was written", file_key="amplitude/web/2025_week_02.zip"),
    DiskFull("the temporary folder is full"),
    WarehouseBusy("another build holds the warehouse"),
    WarehouseFailed("no answer"),
    WarehouseFailed("refused", sqlstate="42501"),
    BuildFailed("dbt failed in 2 nodes", nodes=("a", "b")),
    Stopped("the run was cancelled"),
    NotReconciled([f"amplitude_web 2025-01-{day:02d}: hole: never asked" for day in range(1, 31)]),
    INTERRUPTED,
    Interrupted("file cannot be read", reason="unreadable_file", file_key=None),
]


@pytest.mark.parametrize("error", EVERY, ids=lambda error: type(error).__name__)
def test_an_error_survives_pickling_whole(error):
    """Prefect sends errors between processes: type, text and every attribute arrive."""
    copy = pickle.loads(pickle.dumps(error))
    assert type(copy) is type(error)
    assert str(copy) == str(error)
    assert copy.args == error.args
    assert vars(copy) == vars(error)
    assert isinstance(copy, DwhHelperError)


def test_failed_sources_survive_with_their_errors():
    """The errors inside keep their types and attributes, and the text names source and kind."""
    error = SourcesFailed(
        {
            "amplitude_web": Forbidden("refused", vendor="amplitude", status=403),
            "transform": INTERRUPTED,
        }
    )
    assert str(error) == (
        "failed sources\n"
        "amplitude_web: Forbidden: refused\n"
        "transform: Interrupted: unknown key 'x' in a.zip line 3"
    )
    copy = pickle.loads(pickle.dumps(error))
    assert (str(copy), list(copy.errors)) == (str(error), ["amplitude_web", "transform"])
    assert copy.errors["amplitude_web"].status == 403
    assert vars(copy.errors["transform"]) == vars(INTERRUPTED)


def test_no_class_of_the_family_is_left_out_here():
    """A new error is put to the same test."""
    family = {
        cls
        for cls in vars(errors).values()
        if isinstance(cls, type) and issubclass(cls, DwhHelperError) and cls is not DwhHelperError
    }
    assert family == {type(error) for error in EVERY} | {SourcesFailed}


def test_the_report_says_interrupted():
    """`status` is part of the contract."""
    assert (INTERRUPTED.status, INTERRUPTED.error_message) == (
        "interrupted",
        "unknown key 'x' in a.zip line 3",
    )
