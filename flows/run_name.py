"""What a run is called in Prefect: the days that it looks at."""

from collections.abc import Callable

from prefect.runtime import flow_run


def named_by_days(default: str) -> Callable[[], str]:
    """A flow_run_name made of the parameters start and end; default: where neither is given."""

    def name() -> str:
        start, end = (flow_run.parameters.get(edge) for edge in ("start", "end"))
        if start and end:
            return f"{start} to {end}"
        return f"since {start}" if start else f"up to {end}" if end else default

    return name
