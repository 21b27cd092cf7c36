"""An export is a job: queued, run one by one, kept for a day, and begun anew by no-cache."""

from datetime import timedelta

import httpx
from appmetrica_requests import DAY, MONDAY, get, named, names_of, texts_of, wait

from flows.sandbox.appmetrica import Application, AppMetricaSimulator, Limits, texts
from flows.vendors.appmetrica_tables import TABLES


def test_a_job_is_queued_then_runs_then_is_a_file(vendor: AppMetricaSimulator) -> None:
    """The texts of 202, then 200, and the same file from then on."""
    vendor.limits = Limits(steps=4)
    vendor.add_rows("events", named("Opened"))
    answers = [get(vendor) for _ in range(6)]
    assert texts_of(answers) == [
        "Your query is added to the queue.",
        "Wait for result. Progress is 25%.",
        "Wait for result. Progress is 50%.",
        "Wait for result. Progress is 75%.",
        200,
        200,
    ]
    assert answers[0].headers["Content-Type"].startswith("text/plain")
    assert answers[4].content == answers[5].content


def test_the_parameters_are_the_job(vendor: AppMetricaSimulator) -> None:
    """Their order does not matter; any change of path or value begins another job."""
    wait(vendor)
    reordered = {"date_until": DAY["date_until"], "date_since": DAY["date_since"]}
    assert wait(vendor, **reordered).status_code == 200
    others = [
        get(vendor, form="csv"),
        get(vendor, fields="event_name,event_json"),
        get(vendor, date_dimension="default"),
    ]
    assert texts_of(others) == [texts.ADDED] * 3


def test_jobs_of_an_application_run_one_by_one(vendor: AppMetricaSimulator) -> None:
    """The second waits in the queue until the first has its file, whoever asks."""
    vendor.limits = Limits(steps=3)
    said = texts_of([get(vendor, form=form) for form in ("json", "csv", "csv", "csv", "csv")])
    said += texts_of([get(vendor, form=form) for form in ("json", "csv", "csv")])
    assert said == [
        texts.ADDED,
        texts.ADDED,
        texts.ADDED,
        texts.ADDED,
        texts.progress(0),
        200,
        texts.progress(33),
        texts.progress(66),
    ]


def test_a_fourth_job_is_429() -> None:
    """Three may wait in an application; other applications are not disturbed; waiting helps."""
    applications = [Application(1, "token"), Application(2, "token")]
    with AppMetricaSimulator(applications) as vendor:

        def ask(table: str, number: int = 1) -> httpx.Response:
            name = f"{TABLES[table].event_time}_timestamp"
            return get(vendor, table, token="token", application_id=number, fields=name)

        first = [ask(name).status_code for name in ("events", "crashes", "errors")]
        fourth, other = ask("clicks"), ask("clicks", 2)
        assert (first, fourth.status_code, other.status_code) == ([202] * 3, 429, 202)
        assert fourth.text == (
            "There are already 3 enqueued queries for given application_id."
            " Wait until they are completed."
        )
        while ask("clicks").status_code == 429:
            pass  # time passes for the queue whoever asks
        assert ask("events").status_code == 200


def test_a_file_is_kept_for_a_day(vendor: AppMetricaSimulator) -> None:
    """Rows that arrive meanwhile are not in it; after 24 hours the URL is a new job."""
    vendor.add_rows("events", named("first"))
    assert names_of(wait(vendor)) == ["first"]
    vendor.add_rows("events", named("late"))
    vendor.set_now(MONDAY + timedelta(hours=23, minutes=59))
    assert names_of(get(vendor)) == ["first"]
    vendor.set_now(MONDAY + timedelta(hours=24))
    assert texts_of([get(vendor)]) == [texts.ADDED]
    assert names_of(wait(vendor)) == ["first", "late"]


def test_no_cache_builds_anew(vendor: AppMetricaSimulator) -> None:
    """Sent once it brings late rows; the text tells of the restriction."""
    no_cache = {"Cache-Control": "no-cache"}
    vendor.add_rows("events", named("first"))
    assert texts_of([get(vendor, headers=no_cache)]) == [texts.ADDED]
    assert names_of(wait(vendor)) == ["first"]
    vendor.add_rows("events", named("late"))
    assert texts_of([get(vendor, headers=no_cache)]) == [
        "Your query is moved to the end of the queue due to provided Cache-Control restriction."
    ]
    assert names_of(wait(vendor)) == ["first", "late"]


def test_no_cache_on_each_poll_never_finishes(vendor: AppMetricaSimulator) -> None:
    """Each poll begins the job again."""
    answers = [get(vendor, headers={"Cache-Control": "no-cache"}) for _ in range(30)]
    assert texts_of(answers) == [texts.ADDED] + [texts.MOVED] * 29


def test_max_age_takes_a_young_file(vendor: AppMetricaSimulator) -> None:
    """A file of N seconds will do; an older one is built again."""
    wait(vendor)
    vendor.set_now(MONDAY + timedelta(seconds=60))
    young = get(vendor, headers={"Cache-Control": "max-age=60"})
    old = get(vendor, headers={"Cache-Control": "max-age=59"})
    assert texts_of([young, old]) == [200, texts.MOVED]
