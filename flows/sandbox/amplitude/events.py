"""Events of a medical app, invented from a seed: the same arguments give the same rows.

A later end day adds rows and changes none. Some rows are awkward on purpose, as real ones are: late
and wrongly dated ones, the old kind with 43 keys, `$insert_id` repeated on another device, the same
event delivered twice (same uuid, later upload), the same event accepted twice (new uuid). What
would stop a build is in `hostile.py` only.
"""

import random
import uuid
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta

from flows.sandbox.amplitude.app import MOBILE_EVENTS, WEB_EVENTS, event_properties
from flows.sandbox.amplitude.clock import epoch_ms, vendor_text
from flows.sandbox.amplitude.devices import Device, invent_device
from flows.sandbox.amplitude.fields import BLANK_ROW, OLD_KEYS, Row
from flows.sandbox.amplitude.utm import utm_properties
from flows.sandbox.patients import Patient, Properties

#: The seed of the demo.
SEED = 20250106

#: Shares of people and rows that are awkward. Together they stay below a tenth.
_ANONYMOUS = 0.15
_OLD_KIND = 0.04
_LATE = 0.02
_FUTURE = 0.001
_REDELIVERED = 0.005
_ACCEPTED_TWICE = 0.003
_COUNTED_INSERT_ID = 0.01
#: A patient has a visit on about a third of the days, of about seven events: 28 days and 300 users
#: make some 20,000 events per project.
_DAILY_VISIT = 0.34

#: Events that the clinic's own server sends about a patient, without a session.
_DAILY_INVOICE = 0.01

#: Hours in which people open the app, evenings more often; nights are empty, so that 404 occurs.
_BUSY_HOURS = (6, 7, 8, 8, 9, 10, 11, 12, 12, 13, 15, 16, 17, 18, 18, 19, 19, 20, 20, 21, 22, 23)


@dataclass(slots=True)
class _Visitor:
    """A person on a device of one project; patient is None for one who never signed in."""

    project: str
    rng: random.Random
    device: Device
    patient: Patient | None
    events_sent: int = 0
    open_session: int | None = None
    last_event_at: datetime | None = None
    last_properties: Properties = field(default_factory=dict)

    def properties(self) -> Properties:
        """user_properties as of now."""
        if self.project == "web":
            state = self.patient.web_properties() if self.patient else {}
            return state | utm_properties(self.rng)
        if self.patient:
            return self.patient.mobile_properties(self.device.app_version)
        return {"app_version": self.device.app_version, "language": "en"}


def generate(
    project: str, start_day: date, end_day: date, users: int = 300, seed: int = SEED
) -> Iterator[Row]:
    """Rows of one project ("web" or "mobile") uploaded from start_day to end_day, both inclusive.

    users: people of the project, signed in or not. The rows of one person come in order, people
    after one another; which hour (UTC) a row belongs to is told by its server_upload_time.
    """
    closes = datetime.combine(end_day + timedelta(days=1), time(), UTC)
    for number in range(users):
        for row, uploaded_at in _life(project, start_day, end_day, number, seed):
            if uploaded_at < closes:
                yield row


def _life(
    project: str, start_day: date, end_day: date, number: int, seed: int
) -> Iterator[tuple[Row, datetime]]:
    rng = random.Random(f"{seed}/{project}/{number}")
    patient = Patient.invent(seed, number, start_day)
    signed_in = rng.random() >= _ANONYMOUS
    device = invent_device(project, rng, patient.country, patient.state["city"])
    visitor = _Visitor(project, rng, device, patient if signed_in else None)
    for offset in range((end_day - start_day).days + 1):
        day = start_day + timedelta(days=offset)
        patient.live_through(day)
        if rng.random() < _DAILY_VISIT:
            yield from _visit(visitor, day)
        if patient.is_subscribed and signed_in and rng.random() < _DAILY_INVOICE:
            yield _invoice(visitor, day)


def _visit(visitor: _Visitor, day: date) -> Iterator[tuple[Row, datetime]]:
    rng = visitor.rng
    moment = datetime.combine(day, time(rng.choice(_BUSY_HOURS), rng.randrange(60)), UTC)
    moment += timedelta(milliseconds=rng.randrange(60_000))
    delay = _upload_delay(visitor)
    if visitor.open_session is not None and visitor.last_event_at is not None:
        # The SDK ends a session when the next one starts: the event is old, its upload is not.
        ended = _event(visitor, "session_end", visitor.open_session)
        ended["user_properties"] = visitor.last_properties
        yield _delivered(visitor, ended, visitor.last_event_at, moment + delay)
    session_id = epoch_ms(moment)
    properties = visitor.properties()
    path = WEB_EVENTS if visitor.project == "web" else MOBILE_EVENTS
    names = ["session_start", *rng.choices(path, k=rng.randint(2, 9))]
    for name in names:
        row = _event(visitor, name, session_id)
        row["user_properties"] = properties
        row, uploaded_at = _delivered(visitor, row, moment, moment + delay)
        if rng.random() < _OLD_KIND:
            row = {key: row[key] for key in OLD_KEYS} | {"$schema": 12}
        yield row, uploaded_at
        yield from _repeated(visitor, row, uploaded_at)
        moment += timedelta(milliseconds=rng.randrange(800, 150_000))
    visitor.open_session, visitor.last_event_at = session_id, moment
    visitor.last_properties = properties


def _invoice(visitor: _Visitor, day: date) -> tuple[Row, datetime]:
    rng, columns = visitor.rng, visitor.device.columns
    moment = datetime.combine(day, time(5, rng.randrange(60), rng.randrange(60)), UTC)
    row = _event(visitor, "Invoice Paid", -1)
    row = BLANK_ROW | {
        key: row[key]
        for key in ("event_type", "user_id", "uuid", "$insert_id", "app", "session_id")
    }
    row["device_id"] = str(uuid.uuid5(uuid.NAMESPACE_URL, columns["device_id"]))
    row["amplitude_id"] = columns["amplitude_id"]
    row["event_id"] = rng.randrange(10**8, 10**9)
    row["library"] = "http/2.0"
    row["event_properties"] = {"total.price": rng.choice((10, 10.25, "10.25")), "Currency": "EUR"}
    row["data"] = {"path": "/batch", "group_first_event": {}, "group_ids": {}}
    return _delivered(visitor, row, moment, moment + timedelta(seconds=rng.randrange(1, 20)))


def _upload_delay(visitor: _Visitor) -> timedelta:
    """Seconds for most visits; days for a phone without a network."""
    rng = visitor.rng
    if rng.random() < _LATE * (2 if visitor.project == "mobile" else 0.25):
        return timedelta(hours=rng.randrange(6, 240), seconds=rng.randrange(3600))
    return timedelta(milliseconds=rng.randrange(300, 12_000))


def _event(visitor: _Visitor, name: str, session_id: int) -> Row:
    rng = visitor.rng
    visitor.events_sent += 1
    row = BLANK_ROW | visitor.device.columns
    row["event_type"] = name
    row["event_id"] = visitor.events_sent
    row["session_id"] = session_id
    row["user_id"] = f"user-{visitor.patient.number}@example.org" if visitor.patient else None
    row["event_properties"] = event_properties(name, rng)
    row["uuid"] = str(uuid.UUID(int=rng.getrandbits(128), version=4))
    if rng.random() < _COUNTED_INSERT_ID:
        row["$insert_id"] = f"{name}:{visitor.events_sent}"  # unique per device only
    else:
        row["$insert_id"] = str(uuid.UUID(int=rng.getrandbits(128), version=4))
    row["data"] = {"path": "/2/httpapi", "group_first_event": {}, "group_ids": {}}
    return row


def _delivered(
    visitor: _Visitor, row: Row, moment: datetime, uploaded_at: datetime
) -> tuple[Row, datetime]:
    """Fill in the times: client clock, upload, receipt, event_time as the vendor corrects it."""
    rng, skew = visitor.rng, visitor.device.skew
    if rng.random() < _FUTURE:
        skew = timedelta(days=rng.randrange(1, 400))
    client_time = moment + skew
    # From a minute of difference on, the vendor takes the device's clock for wrong and corrects it;
    # that clock had been set right before the upload, so the wrong time stays.
    event_time = client_time if abs(skew) < timedelta(minutes=1) or skew.days else moment
    received_at = uploaded_at - timedelta(milliseconds=rng.randrange(3, 900))
    row["client_event_time"] = vendor_text(client_time)
    row["client_upload_time"] = vendor_text(
        received_at - timedelta(milliseconds=100) + (timedelta(0) if skew.days else skew)
    )
    row["event_time"] = vendor_text(event_time)
    row["server_received_time"] = vendor_text(received_at)
    row["server_upload_time"] = vendor_text(uploaded_at)
    row["processed_time"] = vendor_text(uploaded_at + timedelta(milliseconds=rng.randrange(9000)))
    return row, uploaded_at


def _repeated(visitor: _Visitor, row: Row, uploaded_at: datetime) -> Iterator[tuple[Row, datetime]]:
    rng = visitor.rng
    chance = rng.random()
    if chance >= _REDELIVERED + _ACCEPTED_TWICE:
        return
    again_at = uploaded_at + timedelta(minutes=rng.randrange(20, 3 * 24 * 60))
    again = row | {
        "server_upload_time": vendor_text(again_at),
        "processed_time": vendor_text(again_at + timedelta(seconds=2)),
    }
    if chance < _ACCEPTED_TWICE:
        again_at += timedelta(days=7)  # ingest remembers an $insert_id for seven days
        again["server_upload_time"] = vendor_text(again_at)
        again["processed_time"] = vendor_text(again_at + timedelta(seconds=2))
        again["uuid"] = str(uuid.UUID(int=rng.getrandbits(128), version=4))
    yield again, again_at
