"""The raw table of rows that people put in directly, of any of the seven product tables."""

from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

DIRECT_ROWS = """
create table raw.direct_rows (
    load_id bigint not null,
    line_number bigint not null,
    content_hash uuid not null,
    table_name text not null,
    uuid uuid not null,
    event_time timestamptz not null,
    put_in_at timestamptz not null,
    row_values json not null,
    unknown_fields json
);

create index direct_rows_load_id_idx on raw.direct_rows
    using brin (load_id) with (pages_per_range = 32, autosummarize = on);

-- Each call asks which of its ids are known.
create index direct_rows_uuid_idx on raw.direct_rows (uuid);

comment on table raw.direct_rows is
    'One row per row that a person put in directly (load_rows), of any of the product tables.';
comment on column raw.direct_rows.load_id is 'raw.loads.load_id: names the file.';
comment on column raw.direct_rows.line_number is
    '0-based line of the file, and number of the row in what the person gave.';
comment on column raw.direct_rows.content_hash is 'MD5 of the line.';
comment on column raw.direct_rows.table_name is 'Product table that the row is for.';
comment on column raw.direct_rows.uuid is
    'As given, or made of the checksum of all rows of the call and the number of the row.';
comment on column raw.direct_rows.event_time is 'As given; where none was, put_in_at.';
comment on column raw.direct_rows.put_in_at is
    'When the rows of the call were put in: of two rows with one id the newer counts.';
comment on column raw.direct_rows.row_values is
    'The other columns, checked against the contract of the table; one form for all formats.';
comment on column raw.direct_rows.unknown_fields is
    'As in every landing table; null, for rows with columns of their own are refused.';
"""


def upgrade() -> None:
    op.execute(DIRECT_ROWS)


def downgrade() -> None:
    op.execute("drop table raw.direct_rows")
