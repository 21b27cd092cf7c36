"""Freshness: how far each source has come, from the ledgers and the statistics."""

from dataclasses import dataclass
from datetime import date, datetime

from flows.product_page import texts
from flows.product_page.section import Section, Table
from flows.reporting import read
from flows.settings import Dwh

_READ = """
with counted as (

    select
        source,
        max(day) as newest_day,
        coalesce(sum(events) filter (where day between %(start)s and %(end)s), 0)::bigint
            as events
    from product.event_counts
    group by source

),

loaded as (

    select
        source,
        max(finished_at) filter (where status = 'loaded') as loaded_at
    from raw.loads
    group by source

),

archived as (

    -- snapshots end when they begin
    select
        source,
        (max(window_end) - interval '1 day')::date as archived_day
    from raw.windows
    where archived_at is not null
        and window_end > window_start
    group by source

)

select
    source,
    coalesce(counted.events, 0) as events,
    counted.newest_day,
    archived.archived_day,
    loaded.loaded_at
from counted
full join loaded using (source)
full join archived using (source)
order by source
"""


@dataclass(frozen=True, slots=True)
class SourceFreshness:
    """How far a source is.

    events: of the page's days, in the statistics. newest_day: of any event in the statistics;
    archived_day: the last one in the archive, in the archive's zone; loaded_at: when the last load
    was complete. None where there is none.
    """

    source: str
    events: int
    newest_day: date | None
    archived_day: date | None
    loaded_at: datetime | None


def read_freshness(start: date, end: date, settings: Dwh) -> tuple[SourceFreshness, ...]:
    """Every source that was ever archived, loaded or counted. Raises WarehouseFailed."""
    return read(SourceFreshness, _READ, {"start": start, "end": end}, settings)


def freshness(sources: tuple[SourceFreshness, ...], today: date, zone: str) -> Section:
    """The chapter. today: in the page's zone."""
    newest = [source.newest_day for source in sources if source.newest_day is not None]
    if not sources:
        return Section("freshness", "Freshness", "", nothing="Nothing was ever loaded.")
    return Section(
        "freshness",
        "Freshness",
        f"The newest event of all is of {texts.long_day(max(newest))},"
        f" {texts.ago(max(newest), today)}."
        if newest
        else "Nothing of what was loaded is in the statistics yet.",
        table=Table(
            "How far each source is",
            ("Source", "Events in these days", "Newest event", "Archived up to", "Last load"),
            tuple(
                (
                    source.source,
                    texts.count(source.events),
                    _day(source.newest_day, today),
                    str(source.archived_day or "–"),
                    texts.moment(source.loaded_at, zone),
                )
                for source in sources
            ),
            texts=frozenset({2, 3, 4}),
        ),
    )


def _day(day: date | None, today: date) -> str:
    return "–" if day is None else f"{day} ({texts.ago(day, today)})"
