with events as (

    select * from {{ source('telemetry', 'telemetry_events') }}

),

renamed as (

    select
        -- ids
        id,
        user_id,

        -- text
        prosthesis_type,
        muscle_group,

        -- numerics
        signal_frequency,
        signal_duration,
        signal_amplitude,

        -- timestamps
        event_timestamp,
        saved_ts,

        -- lineage
        import_id
    from events

)

select * from renamed
