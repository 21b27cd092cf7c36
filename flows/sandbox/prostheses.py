"""Invented users of a CRM and telemetry of their prostheses, made by the server itself, in sets.

Always the same for the same numbers: what looks random is a hash of the row's number.
"""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import psycopg
from psycopg.sql import SQL, Composed, Identifier, Literal

CRM = "crm"
TELEMETRY = "telemetry"

_USERS = """
create table users (
    user_id integer primary key,
    user_uuid uuid not null,
    name text not null,
    email text,
    age integer,
    gender text,
    country text,
    address text,
    phone text,
    registration_ts timestamptz not null,
    registered_at timestamptz,
    -- not for the warehouse: the import tells of it
    newsletter boolean
);

insert into users
select
    id,
    md5('user ' || id)::uuid,
    format('%s %s', first_names[1 + hash % 12], last_names[1 + hash / 12 % 12]),
    format('user%s@example.org', id),
    18 + (hash % 70)::integer,
    case hash % 2 when 0 then 'female' else 'male' end,
    countries[1 + hash % 6],
    format('%s Example Street %s', 1 + hash % 200, id),
    format('+99 555 %s', lpad(id::text, 6, '0')),
    {start} - ((hash % 700) || ' days')::interval,
    {start} - ((hash % 700) || ' days')::interval + interval '3 hours',
    hash % 3 = 0
from generate_series(1, {users}) as ids (id)
cross join lateral (select abs(hashint8extended(id, 1)) as hash) as drawn
cross join (values (
    array['Ada', 'Boris', 'Chiara', 'Dmitri', 'Elif', 'Farid', 'Grace', 'Hugo', 'Ines', 'Jonas', 'Katya', 'Liam'],
    array['Abel', 'Bauer', 'Costa', 'Dahl', 'Evans', 'Fontaine', 'Garcia', 'Haas', 'Ivanova', 'Jansen', 'Kaya', 'Lind'],
    array['Armenia', 'Bulgaria', 'Germany', 'Kazakhstan', 'Portugal', 'Serbia']
)) as words (first_names, last_names, countries)
"""  # noqa: E501

# A user has one prosthesis or two, and uses them by day. An event is saved some seconds later, one
# of a hundred some days later, when the phone was online again.
_EVENTS = """
create table telemetry_events (
    id bigint primary key,
    user_id integer not null,
    prosthesis_type text not null,
    muscle_group text,
    signal_frequency integer,
    signal_duration integer,
    signal_amplitude double precision,
    event_timestamp timestamptz not null,
    saved_ts timestamptz not null
);

insert into telemetry_events
select
    id,
    user_id,
    prosthesis_types[1 + (user_id + case when hash / 1000 % 4 = 0 then 1 else 0 end) % 3],
    case when hash % 50 <> 0 then muscle_groups[1 + hash / 7 % 6] end,
    (20 + hash / 11 % 480)::integer,
    (50 + hash / 13 % 4950)::integer,
    round((hash / 17 % 10000)::numeric / 1000, 3)::double precision,
    happened_at,
    happened_at + case
        when hash % 100 = 0 then (hash / 100 % 72 || ' hours')::interval
        else (1 + hash / 19 % 60 || ' seconds')::interval
    end
from (
    select
        id,
        hash,
        (1 + hash % {users})::integer as user_id,
        {start} + {length} * (id::double precision / {events}) as happened_at
    from generate_series(1, {events}) as ids (id)
    cross join lateral (select abs(hashint8extended(id, 2)) as hash) as drawn
) as happened
cross join (values (
    array['arm', 'hand', 'leg'],
    array['biceps', 'triceps', 'forearm', 'thenar', 'quadriceps', 'hamstrings']
)) as words (prosthesis_types, muscle_groups);

create index on telemetry_events (saved_ts);
create index on telemetry_events (event_timestamp);
analyze telemetry_events
"""


@dataclass(frozen=True, slots=True)
class Prostheses:
    """How much is invented. orphans: ids behind the users that events speak of, too."""

    users: int = 120
    orphans: int = 3
    events: int = 30_000
    start: datetime = datetime(2025, 1, 1, tzinfo=UTC)
    length: timedelta = timedelta(days=42)


def invent(crm_url: str, telemetry_url: str, size: Prostheses | None = None) -> tuple[int, int]:
    """Fill both databases, unless they are; users and events that are there then."""
    size = size or Prostheses()
    users = _fill(
        crm_url, "users", SQL(_USERS).format(users=Literal(size.users), start=Literal(size.start))
    )
    events = _fill(
        telemetry_url,
        "telemetry_events",
        SQL(_EVENTS).format(
            users=Literal(size.users + size.orphans),
            events=Literal(size.events),
            start=Literal(size.start),
            length=Literal(size.length),
        ),
    )
    return users, events


def _fill(url: str, table: str, statements: Composed) -> int:
    with psycopg.connect(url) as connection:
        if connection.execute("select to_regclass(%s)", [table]).fetchone() == (None,):
            connection.execute(statements)
        row = connection.execute(
            SQL("select count(*) from {}").format(Identifier(table))
        ).fetchone()
        return int(row[0]) if row else 0
