"""The act of user reports: users and telemetry are imported, and one of them is reported."""

from dataclasses import astuple, fields

from flows.import_reports import import_reports
from flows.report_user import ProsthesisFigures, report_user
from flows.sandbox.demo.screen import Screen

_USER = 7
_START, _END = "2025-01-06 12:30:00", "2025-02-02 18:00:00"


def show(screen: Screen) -> None:
    """Import both databases, and print the report of a user."""
    screen.act("import_reports(): users of the CRM and telemetry, then the tables of reports")
    import_reports()
    screen.act(f"report_user({_USER}, {_START!r}, {_END!r}): durations in ms, frequencies in Hz")
    report = report_user(_USER, _START, _END)
    screen.table(
        [
            tuple(f"{cell:.3f}" if isinstance(cell, float) else cell for cell in astuple(one))
            for one in report.prostheses
        ],
        header=[field.name for field in fields(ProsthesisFigures)],
    )
