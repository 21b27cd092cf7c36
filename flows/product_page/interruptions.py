"""The last interruptions: what stopped, was held back or taken out. No field holds a value."""

from dataclasses import dataclass
from datetime import datetime

from flows.product_page import texts
from flows.product_page.section import Section, Table, shortened
from flows.reporting import read_if_built
from flows.settings import Dwh

TITLE = "Last interruptions"
#: Newest first: what is older is for a query.
SHOWN = 20

# What the gate holds back now: the findings of the last build, unless their load went since.
_HELD_BACK = """
select
    'held back' as state,
    loads.finished_at as happened_at,
    loads.source,
    loads.file_key,
    min(findings.line_number) as line,
    findings.key,
    replace(findings.reason, '_', ' ') as reason,
    max(findings.finding_count) as times
from audit.property_findings as findings
inner join raw.loads as loads on findings.load_id = loads.load_id
where loads.status = 'loaded'
    and loads.superseded_by is null
group by loads.load_id, findings.key, findings.reason
order by loads.load_seq desc, min(findings.line_number)
limit %(limit)s
"""

# A load that failed and was taken up again is no failed one any more.
_STOPPED = """
select
    status as state,
    coalesce(finished_at, started_at) as happened_at,
    source,
    file_key,
    case when status = 'failed' then coalesce(last_line + 1, first_line) end as line,
    null as key,
    coalesce(error, '') as reason,
    1::bigint as times
from raw.loads
where status in ('failed', 'withdrawn')
order by happened_at desc, load_id desc
limit %(limit)s
"""

_REJECTED = """
select
    'rejected' as state,
    loads.finished_at as happened_at,
    loads.source,
    loads.file_key,
    min(rejected.line_number) as line,
    null as key,
    (array_agg(rejected.reason order by rejected.line_number))[1] as reason,
    count(*) as times
from raw.rejected_import_records as rejected
inner join raw.loads as loads on rejected.load_id = loads.load_id
where loads.status = 'loaded'
group by loads.load_id
order by loads.finished_at desc
limit %(limit)s
"""

_MEANINGS = {
    "held back": "held back by the gate",
    "failed": "load failed",
    "withdrawn": "withdrawn by a person",
    "rejected": "rows rejected",
}


@dataclass(frozen=True, slots=True)
class Interruption:
    """Something that did not go through.

    state: "held back" (the gate found it in a load that waits), "failed" (a load stopped),
    "withdrawn" (a person took a load out) or "rejected" (bad rows that an import let pass).
    happened_at: when the load was complete, or begun if it never was. line: 0-based, the first one;
    of a failed load the first that is not committed. key: of a user property. times: findings or
    rows.
    """

    state: str
    happened_at: datetime | None
    source: str
    file_key: str
    line: int | None
    key: str | None
    reason: str
    times: int


def read_interruptions(settings: Dwh) -> tuple[Interruption, ...]:
    """The last ones of all time, newest first; what is held back now before them."""
    held_back, stopped, rejected = (
        read_if_built(Interruption, query, {"limit": SHOWN}, settings) or ()
        for query in (_HELD_BACK, _STOPPED, _REJECTED)
    )
    others = [*stopped, *rejected]
    others.sort(key=lambda one: one.happened_at.timestamp() if one.happened_at else 0, reverse=True)
    return (*held_back, *others)[:SHOWN]


def interruptions(found: tuple[Interruption, ...], zone: str) -> Section:
    """The chapter."""
    if not found:
        return Section("interruptions", TITLE, "", nothing="Nothing was ever stopped or left out.")
    held_back = sum(one.state == "held back" for one in found)
    return Section(
        "interruptions",
        TITLE,
        "New data waits before the gate: until the mapping or the file is mended, nothing newer"
        " reaches these figures."
        if held_back
        else "Nothing waits before the gate now.",
        table=Table(
            "What was stopped or left out, newest first",
            ("When", "What", "Source", "File", "Line", "Key", "Times", "Reason"),
            tuple(
                (
                    texts.moment(one.happened_at, zone),
                    _MEANINGS[one.state],
                    one.source,
                    one.file_key,
                    "–" if one.line is None else texts.count(one.line),
                    "–" if one.key is None else shortened(one.key),
                    texts.count(one.times),
                    shortened(one.reason, 400),
                )
                for one in found
            ),
            texts=frozenset({1, 2, 3, 5, 7}),
            long=frozenset({3, 5, 7}),
        ),
        notes=("Lines count from 0. Values stand in audit.property_findings and in no page.",),
    )
