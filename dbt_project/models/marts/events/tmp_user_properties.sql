{{ config(
    incremental_strategy='append',
    pre_hook="{{ delete_removed_events('records') }}",
    post_hook="{{ set_mark() }}",
    meta={'upstream': 'int_property_records'},
    indexes=[{'columns': ['uuid'], 'unique': true}],
) }}

-- What an event says about its user: the records that wait for the two property marts, and have waited.
with events as (

    {{ winning_events(
        ['uuid', 'source', 'user_properties', 'event_time'],
        ['event', 'profile', 'tmp_user_properties']
    ) }}

),

records as (

    select
        uuid,
        added_batch
    from {{ ref('int_property_records') }}
    where removed_batch is null
        {%- if is_incremental() %}
        and added_batch > {{ mark() }}
        {%- endif %}

),

waiting as (

    select
        events.uuid,
        events.source,
        {{ to_jsonb('events.user_properties') }} as user_properties,
        records.added_batch <= {{ migrated_batch() }} as migrated,
        events.event_time,
        events.load_id,
        events.line_number
    from events
    inner join records on events.uuid = records.uuid

)

select * from waiting
