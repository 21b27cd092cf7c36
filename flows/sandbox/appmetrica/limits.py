"""What AppMetrica allows and how long it takes, as far as a test may want it otherwise."""

from dataclasses import dataclass

from flows.sandbox import simulator


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits(simulator.Limits):
    """The limits of the simulator, beside those that every one has.

    steps: how many 202 a lone job is answered with before its file; a job takes its step when
    anyone asks for anything of its application, and jobs of one application run one after another.
    queued: jobs that may wait in an application, 429 past it. max_rows: rows of one answer, 400
    "Try to use more parts." above it. kept_hours: how long a file stays at its URL.
    requests_per_second: the vendor's quota is 30 per IP, 420 past it; None counts none, as a test
    without waits asks faster. requests_per_day: quota per token, until 00:00 UTC of the clock.
    profiles_need_dates: the vendor's text says so, its example does not.
    unavailable_share: share of rows on shards that do not answer: 503, or left out without a word
    where the request has skip_unavailable_shards. rows_number: tell the count of rows in a header,
    as a third party saw it. enabled: what the status of the Logs API says; 503 to every export
    where it is not.
    """

    steps: int = 2
    queued: int = 3
    max_rows: int | None = None
    kept_hours: float = 24
    requests_per_second: int | None = None
    requests_per_day: int | None = 5000
    profiles_need_dates: bool = True
    unavailable_share: float = 0
    rows_number: bool = False
    enabled: bool = True
