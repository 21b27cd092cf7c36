"""A real HTTP server that behaves as AppMetrica's Logs API does, faults on demand.

with AppMetricaSimulator() as appmetrica:
    appmetrica.add_rows("events", [{"event_name": "Opened", "event_timestamp": 1736150400}])
    httpx.get(f"{appmetrica.base_url}/logs/v1/export/events.json", params=…, headers=…)
"""

import tempfile
from collections import defaultdict
from collections.abc import Callable, Iterable
from datetime import datetime
from pathlib import Path
from typing import Any

from flows.errors import BadRequest
from flows.sandbox.appmetrica import control, texts
from flows.sandbox.appmetrica.applications import APPLICATION, Application
from flows.sandbox.appmetrica.bodies import TooManyRows, write_rows
from flows.sandbox.appmetrica.faults import Fault, FaultKind, Phase
from flows.sandbox.appmetrica.handler import Handler
from flows.sandbox.appmetrica.jobs import File, Jobs
from flows.sandbox.appmetrica.limits import Limits
from flows.sandbox.appmetrica.quota import Quota
from flows.sandbox.appmetrica.request import Export
from flows.sandbox.appmetrica.seen import Seen
from flows.sandbox.appmetrica.store import DATA_FILE, Row, Store
from flows.sandbox.simulator import Faults, Refusal, Simulator, Traffic


class AppMetricaSimulator(Simulator):
    """The Logs API of some applications on 127.0.0.1.

    applications: who may be asked for (default: the sandbox's). data: a folder that `dataset.build`
    filled; rows that are added go into it too. None for no rows. port: None for a free one.
    now: the clock (aware) that cached files and days of quota go by and, where rows were given so,
    what has arrived; None for the real one.
    """

    name = "appmetrica"
    handler = Handler

    def __init__(
        self,
        applications: Iterable[Application] = (APPLICATION,),
        *,
        data: Path | None = None,
        port: int | None = None,
        now: Callable[[], datetime] | None = None,
        limits: Limits | None = None,
    ) -> None:
        super().__init__(port=port, now=now)
        self.applications: dict[int, list[Application]] = defaultdict(list)
        for application in applications:
            self.applications[application.application_id].append(application)
        self.limits: Limits = limits or Limits()
        self.faults: Faults[Fault] = Faults()
        self.traffic: Traffic[Seen] = Traffic()
        self.quota = Quota(lambda: self.limits)
        self._own = tempfile.TemporaryDirectory(prefix="appmetrica-rows-")
        self.store = Store((data or Path(self._own.name)) / DATA_FILE)
        self.jobs = Jobs(self._build, self._stall)

    @property
    def variables(self) -> dict[str, str]:
        """The variables of `.env.example` that lead to the sandbox's application here."""
        return {
            "APPMETRICA_BASE_URL": self.base_url,
            "APPMETRICA_API_KEY": APPLICATION.token,
            "APPMETRICA_APPLICATION_ID": str(APPLICATION.application_id),
        }

    @property
    def tokens(self) -> set[str]:
        """The tokens that may read some application."""
        return {entry.token for entries in self.applications.values() for entry in entries}

    def application(self, application_id: int | None = None) -> Application:
        """An application; the first one if no number is given."""
        if application_id is None:
            application_id = next(iter(self.applications))
        if application_id not in self.applications:
            raise BadRequest(f"no application {application_id}")
        return self.applications[application_id][0]

    def add_rows(
        self,
        table: str,
        rows: Iterable[Row],
        application_id: int | None = None,
        *,
        shown_when_received: bool = False,
        bare: bool = False,
    ) -> int:
        """Add rows of one table; returns how many. They show from now on.

        A row is field -> value: missing fields are "" and all values are sent as text. Times: give
        `…_timestamp` (Unix seconds) or `…_datetime` (of the application's zone) of the event; the
        other form is made, a missing receipt is at the time of the event, a missing event now.
        A row of profiles_v2 is the whole present state of its profile_id (or device), from now or
        its key "at" (aware) on; keys that are no documented field are custom attributes.
        shown_when_received: rows show only when the clock has reached their receipt.
        bare: numbers, booleans and nested values are sent as such, as one page of the vendor shows.
        BadRequest names a field that the table does not have.
        """
        return self.store.add(
            self.application(application_id),
            table,
            rows,
            now=self.now(),
            shown_when_received=shown_when_received,
            bare=bare,
        )

    def declare_attributes(self, names: Iterable[str], application_id: int | None = None) -> None:
        """Make custom profile attributes known that no profile has a value for yet."""
        self.store.declare(self.application(application_id), names)

    def attributes(self, application_id: int | None = None) -> set[str]:
        """Names of the custom profile attributes; every other one is refused with 400."""
        return self.store.attributes(self.application(application_id))

    def inject(
        self,
        kind: FaultKind | str,
        *,
        times: int | None = 1,
        phase: Phase | str | None = None,
        table: str | None = None,
        contains: str = "",
        retry_after: int | None = None,
        percent: int = 97,
    ) -> None:
        """Spoil the next requests; see Fault."""
        wish = {"fault": kind, "times": times, "phase": phase, "table": table}
        more = {"contains": contains, "retry_after": retry_after, "percent": percent}
        self.faults.add(Fault.of(wish | more))

    def fault_of(self, wish: dict[str, Any]) -> Fault:
        """See Fault.of."""
        return Fault.of(wish)

    def obey(self, method: str, subject: str, wish: dict[str, Any]) -> dict[str, Any]:
        """See control.py."""
        return control.obey(self, method, subject, wish)

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Stop, and let go of rows and files; `stop` and `start` serve the same rows again."""
        self.stop()
        self.jobs.close()
        self.store.close()
        self._own.cleanup()

    def _build(self, export: Export, path: Path, seed: int) -> File | Refusal:
        limits = self.limits
        if limits.unavailable_share and not export.skips_shards:
            return Refusal(503, texts.SHARDS)
        rows = self.store.rows(export, self.now(), seed, limits.unavailable_share)
        with path.open("wb") as file:
            try:
                count = write_rows(
                    file,
                    export.format,
                    export.fields,
                    rows,
                    with_bom=export.with_bom,
                    max_rows=limits.max_rows,
                )
            except TooManyRows:
                path.unlink()
                return Refusal(400, texts.MORE_PARTS)
        return File(path, count)

    def _stall(self, export: Export) -> int | None:
        fault = self.faults.take(
            lambda fault: (
                fault.kind is FaultKind.STALL
                and fault.concerns(Phase.POLL, export.table.name, export.query)
            )
        )
        return fault.percent if fault else None
