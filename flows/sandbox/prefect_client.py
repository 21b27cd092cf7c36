"""This process as a client of a Prefect server that is about to stop."""

from prefect.events.worker import EventsWorker
from prefect.logging.handlers import APILogWorker


def send_what_is_left() -> None:
    """Send all logs and events that wait; an exit without a server would try for a minute."""
    APILogWorker.instance().drain()
    EventsWorker.drain_all()
