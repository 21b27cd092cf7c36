"""All servers of the sandbox over one folder, and the variables that lead every flow to them."""

import os
from contextlib import ExitStack
from pathlib import Path
from typing import Self

from flows.sandbox import postgres, prostheses
from flows.sandbox.amplitude import AmplitudeSimulator
from flows.sandbox.amplitude import dataset as amplitude_dataset
from flows.sandbox.appmetrica import AppMetricaSimulator
from flows.sandbox.appmetrica import dataset as appmetrica_dataset
from flows.sandbox.postgres import Postgres
from flows.sandbox.processes import choose_port
from flows.sandbox.s3 import S3Server
from flows.settings import PROJECT

DATABASE = "dwh"
BUCKET = "archive"


class Servers:
    """PostgreSQL (warehouse, CRM, telemetry), S3 and the simulators of both vendors, a folder each.

    Used as a context manager: leaving it stops what was started.
    """

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.postgres = Postgres(directory / "postgres")
        self.s3 = S3Server(directory / "s3")
        self.amplitude: AmplitudeSimulator | None = None
        self.appmetrica: AppMetricaSimulator | None = None
        self._running = ExitStack()

    @property
    def amplitude_data(self) -> Path:
        """Hour files that Amplitude's simulator serves in place."""
        return self.directory / "amplitude" / "data"

    def start_storage(self) -> None:
        """Start PostgreSQL and S3, with their database and bucket."""
        self._running.enter_context(self.postgres)
        self.postgres.create_database(DATABASE)
        self._running.enter_context(self.s3)
        self.s3.create_bucket(BUCKET)

    def start_vendors(self) -> tuple[dict[str, int], dict[str, int]]:
        """Invent both vendors' data unless they are there, and serve them.

        Rows per project of Amplitude, and per table of AppMetrica.
        """
        rows = amplitude_dataset.build(self.amplitude_data)
        port = choose_port(self.directory / "amplitude" / "port")
        self.amplitude = AmplitudeSimulator(data=self.amplitude_data, port=port)
        self._running.enter_context(self.amplitude)
        data = self.directory / "appmetrica" / "data"
        reported = appmetrica_dataset.build(data)
        port = choose_port(self.directory / "appmetrica" / "port")
        self.appmetrica = AppMetricaSimulator(data=data, port=port)
        self._running.enter_context(self.appmetrica)
        return rows, reported

    def start_report_sources(self) -> tuple[int, int]:
        """Invent the databases of the CRM and of telemetry unless they are there: users, events."""
        return prostheses.invent(
            self.postgres.create_database(prostheses.CRM),
            self.postgres.create_database(prostheses.TELEMETRY),
        )

    def variables(self) -> dict[str, str]:
        """The variables of `.env.example` for these servers."""
        if self.amplitude is None or self.appmetrica is None:
            raise RuntimeError("start the servers first")
        return {
            "DWH_DATABASE_URL": self.postgres.url(DATABASE),
            "CRM_DATABASE_URL": self.postgres.url(prostheses.CRM),
            "TELEMETRY_DATABASE_URL": self.postgres.url(prostheses.TELEMETRY),
            **self.s3.variables(BUCKET),
            **self.amplitude.variables,
            **self.appmetrica.variables,
            # The vendor needs minutes for a job, its simulator a few questions.
            "APPMETRICA_POLL_INTERVAL_SECONDS": "0.05",
        }

    def adopt_variables(self) -> None:
        """Make these servers the ones that flows of this process use."""
        os.environ.update(self.variables())

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._running.close()


def psql(url: str) -> str:
    """A command line that opens a database: the wheel's psql, or that of the machine."""
    program = postgres.find_binaries().folder / "psql"
    return f"{_quoted(program) if os.access(program, os.X_OK) else 'psql'} {url}"


def _quoted(path: Path) -> str:
    try:
        text = str(path.relative_to(PROJECT))
    except ValueError:
        text = str(path)
    return f'"{text}"' if " " in text else text
