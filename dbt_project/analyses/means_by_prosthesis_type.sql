-- Mean amplitude and frequency by prosthesis type: sums by counts, for a mean of daily means is none.
select
    prosthesis_type,
    sum(events) as events,
    round(sum(amplitude_sum) / nullif(sum(amplitude_count), 0), 3) as mean_amplitude,
    round(sum(frequency_sum_hz) / nullif(sum(frequency_count), 0), 3) as mean_frequency_hz
from {{ ref('user_prosthesis_daily') }}
group by 1
order by 1
