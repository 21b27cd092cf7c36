"""audit.reconciliation tells holes and surpluses from what is missing for a reason."""

from datetime import date, datetime, timedelta

from warehouse import DAY, Warehouse, event

from flows.warehouse.dbt_build import RECONCILIATION

FILE = "amplitude/web/2025_week_02.zip"
MONDAY, TUESDAY = DAY.date(), DAY.date() + timedelta(days=1)
NUMBERS = (
    "events_archived, rows_loaded, rows_in_marts, duplicates_removed, rows_held_back,"
    " rows_withdrawn, rows_not_loaded, rows_missing, rows_surplus"
)


def archive(
    warehouse: Warehouse,
    counts: dict[date, int],
    *,
    file_key: str = FILE,
    loaded: bool = True,
    hours_ago: float = 48,
) -> None:
    """What the ledger of windows says of a weekly archive with so many events a day."""
    line = 0
    for day, events in counts.items():
        start = datetime(day.year, day.month, day.day)
        warehouse.execute(
            "insert into raw.windows (source, file_key, window_start, window_end, etag, first_line,"
            " event_count, is_final, archived_at, loaded_at) select 'amplitude_web', %s, %s, %s,"
            " '', %s, %s, true, now() - make_interval(secs => %s), case when %s then now() end",
            file_key,
            start,
            start + timedelta(days=1),
            line,
            events,
            hours_ago * 3600,
            loaded,
        )
        line += events


def reconciled(warehouse: Warehouse) -> list[tuple]:
    """day, verdict, reasons and NUMBERS of the days that are archived or stand out."""
    build = warehouse.build("--select", RECONCILIATION, command="run")
    assert build.is_clean, build
    return warehouse.execute(
        f"select day, verdict, reasons, {NUMBERS} from audit.reconciliation"
        " where reasons <> 'never asked' order by day"
    )


def test_lines_rows_and_marts_add_up(warehouse):
    """Days are told by their lines; a duplicate is counted where it lost."""
    warehouse.load(FILE, [event(1, 0), event(2, 1), event(3, 25), event(1, 26, upload=0.5)])
    archive(warehouse, {MONDAY: 2, TUESDAY: 2})
    assert warehouse.build().is_clean
    assert reconciled(warehouse) == [
        (MONDAY, "complete", "", 2, 2, 2, 0, 0, 0, 0, 0, 0),
        (TUESDAY, "complete", "1 duplicates were removed", 2, 2, 1, 1, 0, 0, 0, 0, 0),
    ]


def test_a_day_that_was_never_asked_is_a_hole(warehouse):
    """Each day from the first archived one on is there; one that was asked tells how often."""
    today = datetime.now().date()
    days = [today - timedelta(days=number) for number in (6, 5, 4, 3, 2, 1)]
    archive(warehouse, {days[0]: 0, days[2]: 0})
    warehouse.execute(
        "insert into raw.windows (source, file_key, window_start, window_end, ask_count)"
        " select 'amplitude_web', %s, %s, %s, 3",
        FILE,
        days[3],
        days[4],
    )
    assert warehouse.build().is_clean
    assert warehouse.build("--select", RECONCILIATION).is_clean
    found = warehouse.execute("select day, verdict, reasons from audit.reconciliation order by 1")
    assert found[:5] == [
        (days[0], "complete", ""),
        (days[1], "hole", "never asked"),
        (days[2], "complete", ""),
        (days[3], "hole", "not archived, asked 3 times"),
        (days[4], "hole", "never asked"),
    ]
    assert [day for day, *_ in found[5:]] in ([], [days[5]])


def test_what_a_hand_did_is_found(warehouse):
    """A row too few or too many, in raw or in a mart, on the day of its line."""
    days = [MONDAY + timedelta(days=number) for number in range(5)]
    warehouse.load(FILE, [event(n, 12 * n) for n in range(10)])
    archive(warehouse, dict.fromkeys(days, 2))
    assert warehouse.build().is_clean
    warehouse.execute(
        "delete from raw.amplitude_events where line_number = 1;"
        " insert into raw.amplitude_events select * from raw.amplitude_events"
        " where line_number = 3;"
        " delete from dwh.events_part where line_number = 5;"
        " insert into dwh.events_part (uuid, source, load_id, line_number)"
        " select md5('')::uuid, source, load_id, line_number from dwh.events_part"
        " where line_number = 7"
    )
    mart_surplus = "1 rows of the marts are of no row of raw"
    assert reconciled(warehouse) == [
        (
            *(days[0], "hole", f"1 loaded lines are gone from raw; {mart_surplus}"),
            *(2, 1, 2, 0, 0, 0, 0, 1, 1),
        ),
        (
            *(days[1], "surplus", "1 rows of raw are of a line that is there already"),
            *(2, 3, 2, 0, 0, 0, 0, 0, 1),
        ),
        (days[2], "hole", "1 rows of raw are in no mart", 2, 2, 1, 0, 0, 0, 0, 1, 0),
        (days[3], "surplus", mart_surplus, 2, 2, 3, 0, 0, 0, 0, 0, 1),
        (days[4], "complete", "", 2, 2, 2, 0, 0, 0, 0, 0, 0),
    ]


def test_rows_of_no_archived_line_are_a_surplus_without_a_day(warehouse):
    """A load of a file that is not in the archive, and a mart's row of no load."""
    warehouse.load(FILE, [event(1, 0)])
    warehouse.load("amplitude/web/2025_week_03.zip", [event(2, 1), event(3, 2)])
    archive(warehouse, {MONDAY: 1})
    assert warehouse.build().is_clean
    warehouse.execute(
        "insert into dwh.events_part (uuid, source) values (md5('')::uuid, 'amplitude_web')"
    )
    assert reconciled(warehouse) == [
        (MONDAY, "complete", "", 1, 1, 1, 0, 0, 0, 0, 0, 0),
        (
            None,
            "surplus",
            "2 rows of raw are of no archived line; 3 rows of the marts are of no row of raw",
            *(0, 2, 3, 0, 0, 0, 0, 0, 5),
        ),
    ]


def test_held_back_rows_are_no_hole(warehouse):
    """By the gate, with its findings, by another file's, or until the next build."""
    other = "amplitude/web/2025_week_03.zip"
    warehouse.load(FILE, [event(1, 0, {"shoe_size": 43}), event(2, 1)])
    warehouse.load(other, [event(3, 200)])
    archive(warehouse, {MONDAY: 2})
    later = MONDAY + timedelta(days=7)
    archive(warehouse, {later: 1}, file_key=other)
    assert not warehouse.build().is_clean
    warehouse.build("--select", "+events_part +int_app_reports", command="run")
    assert reconciled(warehouse) == [
        (
            MONDAY,
            "held back",
            "2 rows are held back: 1 findings in their file",
            *(2, 2, 0, 0, 2, 0, 0, 0, 0),
        ),
        (
            later,
            "held back",
            "1 rows are held back: the gate found something in another file",
            *(1, 1, 0, 0, 1, 0, 0, 0, 0),
        ),
    ]
    [(load_id,)] = warehouse.execute("select load_id from raw.loads where file_key = %s", FILE)
    warehouse.withdraw(load_id)
    assert warehouse.build().is_clean
    assert reconciled(warehouse) == [
        (MONDAY, "complete", "2 rows were withdrawn", 2, 0, 0, 0, 0, 2, 0, 0, 0),
        (later, "complete", "", 1, 1, 1, 0, 0, 0, 0, 0, 0),
    ]


def test_a_withdrawn_load_is_told_at_once_and_after_the_build(warehouse):
    """Its lines are taken out of the count, whether or not the marts have let them go."""
    warehouse.load(FILE, [event(1, 0), event(2, 1)])
    grown = warehouse.load(FILE, [event(3, 25), event(4, 26)], grows=True)
    archive(warehouse, {MONDAY: 2, TUESDAY: 2})
    assert warehouse.build().is_clean
    warehouse.withdraw(grown)
    expected = [
        (MONDAY, "complete", "", 2, 2, 2, 0, 0, 0, 0, 0, 0),
        (TUESDAY, "complete", "2 rows were withdrawn", 2, 0, 0, 0, 0, 2, 0, 0, 0),
    ]
    assert reconciled(warehouse) == expected
    assert warehouse.build().is_clean
    assert reconciled(warehouse) == expected


def test_other_content_is_counted_while_it_waits_and_when_it_is_there(warehouse):
    """Until the new load is admitted the old rows stand in the marts, and are no surplus."""
    old = warehouse.load(FILE, [event(1, 0), event(2, 1)])
    archive(warehouse, {MONDAY: 2})
    assert warehouse.build().is_clean
    warehouse.replace([old], [event(2, 1), event(5, 2), event(6, 3)])
    warehouse.execute("update raw.windows set event_count = 3")
    assert reconciled(warehouse) == [
        (
            MONDAY,
            "held back",
            "3 rows are held back: they wait for a build",
            *(3, 3, 0, 0, 3, 0, 0, 0, 0),
        )
    ]
    assert warehouse.build().is_clean
    assert reconciled(warehouse) == [(MONDAY, "complete", "", 3, 3, 3, 0, 0, 0, 0, 0, 0)]


def test_what_is_not_loaded_waits_for_a_day_and_is_a_hole_then(warehouse):
    """A load that failed is none that one waits for; rows of the older content are no surplus."""
    warehouse.load(FILE, [event(1, 0)])
    archive(warehouse, {MONDAY: 1})
    archive(warehouse, {TUESDAY: 2}, loaded=False, hours_ago=23)
    assert warehouse.build().is_clean
    waiting = (TUESDAY, "waiting", "2 archived events are not loaded", 2, *(0,) * 5, 2, 0, 0)
    monday = (MONDAY, "complete", "", 1, 1, 1, 0, 0, 0, 0, 0, 0)
    assert reconciled(warehouse) == [monday, waiting]
    warehouse.execute("update raw.windows set archived_at = archived_at - interval '2 hours'")
    assert reconciled(warehouse) == [monday, (TUESDAY, "hole", *waiting[2:])]
    warehouse.execute(
        "update raw.windows set archived_at = now() where not loaded_at is not null;"
        " insert into raw.loads (source, file_key, etag, size_bytes, status, first_line)"
        f" values ('amplitude_web', '{FILE}', '', 0, 'failed', 1)"
    )
    [(load_id,)] = warehouse.execute("select max(load_id) from raw.loads")
    reason = f"2 archived events are not loaded: load {load_id} failed"
    assert reconciled(warehouse) == [monday, (TUESDAY, "hole", reason, *waiting[3:])]
