-- Why the rows of a day are held back.
with windows as (

    select * from {{ ref('int_reconciliation__windows') }}

),

loads as (

    select * from {{ ref('int_reconciliation__loads') }}

),

findings as (

    select
        loads.file_key,
        sum(checked.finding_count) as finding_count
    from {{ ref('int_loads__checked') }} as checked
    inner join loads on checked.load_id = loads.load_id
    group by loads.file_key

),

held_back_reasons as (

    select
        windows.source,
        windows.table_name,
        windows.day,
        case
            when sum(findings.finding_count) > 0
                then sum(findings.finding_count) || ' findings in their file'
            when (select sum(findings.finding_count) from findings) > 0
                then 'the gate found something in another file'
            else 'they wait for a build'
        end as reason
    from windows
    inner join loads
        on windows.file_key = loads.file_key
        and loads.standing = 'held back'
    left join findings on windows.file_key = findings.file_key
    group by windows.source, windows.table_name, windows.day

)

select * from held_back_reasons
