{{ config(materialized='view', schema='audit') }}

-- Loads that a person took out of the count, and why.
select
    load_id,
    source,
    file_key,
    first_line,
    last_line,
    row_count,
    error as reason,
    finished_at as withdrawn_at
from {{ source('raw', 'loads') }}
where status = 'withdrawn'
