{{ config(
    full_refresh=false,
    incremental_strategy='changed_only',
    unique_key='load_id',
    post_hook="{{ set_mark() }}",
    meta={'upstream': none},
) }}

-- Which loads count. New ones are admitted all together, or none if the gate found anything in any of them;
-- a load goes when it was withdrawn or when its successor is admitted. Both get the number of the batch.
with checked as (

    select * from {{ ref('int_loads__checked') }}

),

admissible as (

    select distinct
        load_id,
        load_seq,
        source,
        file_key
    from checked
    where not exists (select from checked as flaws where flaws.finding_count > 0)
        and {{ verdict_is_current() }}

),

{% if is_incremental() -%}
present as (

    select * from {{ this }}

),

{% else -%}
present as (

    select
        null::bigint as load_id,
        null::bigint as load_seq,
        null::text as source,
        null::text as file_key,
        null::bigint as admitted_batch,
        null::bigint as removed_batch
    where false

),

{% endif -%}
next_batch as (

    select coalesce(max(greatest(admitted_batch, removed_batch)), 0) + 1 as batch
    from present

),

admitted as (

    select
        admissible.load_id,
        admissible.load_seq,
        admissible.source,
        admissible.file_key,
        next_batch.batch as admitted_batch,
        null::bigint as removed_batch
    from admissible
    cross join next_batch
    -- one that went comes back when its successor was withdrawn before it was retired
    where not exists (
        select
        from present
        where present.load_id = admissible.load_id
            and present.removed_batch is null
    )

),

removed as (

    select
        present.load_id,
        present.load_seq,
        present.source,
        present.file_key,
        present.admitted_batch,
        next_batch.batch as removed_batch
    from present
    cross join next_batch
    left join {{ source('raw', 'loads') }} as loads
        on present.load_id = loads.load_id
    where present.removed_batch is null
        and (
            loads.load_id is null
            or loads.status <> 'loaded'
            or exists (
                select
                from {{ successors('loads.load_id', source('raw', 'loads')) }} as successors
                where successors.load_id in (
                    select load_id from admitted
                    union all
                    select load_id from present
                )
            )
        )

)

select * from admitted
union all
select * from removed
