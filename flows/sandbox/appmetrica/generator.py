"""Rows of a medical app in all 13 tables, invented from a seed: the same arguments, the same rows.

The people are those of the Amplitude projects (`ehr_id`, and what is known of them on a day,
agree), so that both vendors meet in one property table. A later end day adds rows and changes none.
Some rows are awkward on purpose, as real ones are: exact duplicates, rows up to 14 days late,
`event_json` that is empty, broken, no object or names a key twice, clicks that never were. What a
warehouse may refuse is in `hostile.py` only.
"""

import json
import random
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Any

from flows.sandbox.amplitude.app import MOBILE_EVENTS, event_properties
from flows.sandbox.amplitude.events import SEED
from flows.sandbox.appmetrica.applications import APPLICATION, Application
from flows.sandbox.appmetrica.phones import Phone, invent_phone
from flows.sandbox.appmetrica.rare_tables import RARE_TABLES, rare_columns
from flows.sandbox.patients import Patient
from flows.vendors.appmetrica_tables import TABLES

#: Shares of people and rows.
_ANONYMOUS = 0.15
_DAILY_VISIT = 0.3
_LATE = 0.03
_DUPLICATED = 0.004
_INSTALLED_TWICE = 0.02
_RARE = 0.01

#: The oldest that the vendor takes; some phones were offline for just as long.
_OLDEST = timedelta(days=14)
_BUSY_HOURS = (6, 7, 8, 8, 9, 10, 11, 12, 12, 13, 15, 16, 17, 18, 18, 19, 19, 20)
_EVENTS = (*(name for name in MOBILE_EVENTS if not name.startswith("[")), "Баннер показан")
#: What `event_json` can be besides an object.
_NO_OBJECTS = ("[1, 2, {}]", '"текст"', "42", "null", "true")
_BROKEN = ('{"a": 1', "{'a': 1}", '{"a": NaN}', "not json", '{"a": 1} {"b": 2}')
_TWICE = '{"step": 1, "note": "первый", "step": 2, "note": "второй"}'


@dataclass(frozen=True, slots=True)
class Made:
    """One row of a table, and when the vendor received it (Unix seconds)."""

    table: str
    row: dict[str, Any]
    received_at: int


@dataclass(frozen=True, slots=True)
class _Visitor:
    rng: random.Random
    phone: Phone
    patient: Patient
    signed_in: bool


_DECLARED = (
    "age app_version birth_date blood_type city clinic_id country_code daily_wear_hours"
    " diagnosis_code doctor_id ehr_id enrolled_at firmware_version first_clinic_id gender height_cm"
    " is_subscribed language last_visit_at locale notifications_count pain_level plan"
    " prosthesis_model prosthesis_side prosthesis_type push_enabled push_token_updated_at"
    " registration_date sex subscription_ends_on subscription_plan timezone weight_kg"
)
#: Custom attributes that the app's makers declared, with values or without: all that the mapping of
#: the sandbox asks for but what only browsers know (campaigns, click ids, referrers).
ATTRIBUTES = frozenset(_DECLARED.split())


def generate(
    start_day: date,
    end_day: date,
    users: int = 300,
    seed: int = SEED,
    application: Application = APPLICATION,
) -> Iterator[Made]:
    """Rows received from start_day to end_day, both inclusive, days of the application's zone.

    users: people with the app, signed in or not. The rows of one person come together. A row of
    profiles_v2 is the person's state from its "at" on.
    """
    closes = datetime.combine(end_day + timedelta(days=1), time(), application.zone).timestamp()
    for number in range(users):
        for made in _life(start_day, end_day, number, seed):
            if made.received_at < closes:
                yield made


def _life(start_day: date, end_day: date, number: int, seed: int) -> Iterator[Made]:
    rng = random.Random(f"{seed}/appmetrica/{number}")
    patient = Patient.invent(seed, number, start_day)
    signed_in = rng.random() >= _ANONYMOUS
    profile_id = f"user-{number}@example.org" if signed_in else ""
    phone = invent_phone(number, rng, patient, profile_id)
    visitor = _Visitor(rng, phone, patient, signed_in)
    for offset in range((end_day - start_day).days + 1):
        day = start_day + timedelta(days=offset)
        patient.live_through(day)
        if rng.random() < _DAILY_VISIT:
            yield from _visit(visitor, day)


def _visit(visitor: _Visitor, day: date) -> Iterator[Made]:
    rng, phone = visitor.rng, visitor.phone
    begins = datetime.combine(day, time(rng.choice(_BUSY_HOURS), rng.randrange(60)), UTC)
    moment = int(begins.timestamp()) + rng.randrange(60)
    delay = _delay(rng)
    if not phone.sessions:
        yield from _installed(visitor, moment - 60, delay)
    phone.sessions += 1
    phone.days.append(str(day))
    session_id = str(10_000_000_000 + phone.sessions)
    yield _made(visitor, "sessions_starts", moment, delay, session_id=session_id)
    for _ in range(rng.randint(2, 9)):
        name = rng.choice(_EVENTS)
        made = _made(
            visitor,
            "events",
            moment,
            delay,
            session_id=session_id,
            event_name=name,
            event_json=_event_json(name, rng),
        )
        yield made
        if rng.random() < _DUPLICATED:
            yield made
        moment += rng.randrange(1, 150)
        if rng.random() < _RARE:
            table = rng.choice(RARE_TABLES)
            yield _made(visitor, table, moment, delay, **rare_columns(table, rng))
    yield _profile(visitor, moment + delay)


def _delay(rng: random.Random) -> int:
    """Seconds until the vendor has it: few for most, up to 14 days for a phone without network."""
    if rng.random() >= _LATE:
        return rng.randrange(1, 60)
    return rng.choice((rng.randrange(6 * 3600, 13 * 86400), int(_OLDEST.total_seconds())))


def _made(visitor: _Visitor, table: str, moment: int, delay: int, **columns: Any) -> Made:
    times = {f"{TABLES[table].event_time}_timestamp": moment}
    if TABLES[table].receive_time is None:
        delay = 0
    else:
        times[f"{TABLES[table].receive_time}_timestamp"] = moment + delay
    return Made(table, visitor.phone.row(table) | times | columns, moment + delay)


def _installed(visitor: _Visitor, moment: int, delay: int) -> Iterator[Made]:
    rng = visitor.rng
    columns: dict[str, Any] = {
        "install_ipv6": visitor.phone.columns["device_ipv6"],
        "is_reattribution": "false",
        "is_reinstallation": "true" if rng.random() < 0.1 else "false",
        # Without a click the vendor shows its time as the epoch, and ids as 0.
        "click_timestamp": "0",
        "publisher_id": "0",
        "tracking_id": "0",
    }
    if rng.random() < 0.4:
        click_id = f"{rng.getrandbits(128):032x}"
        columns |= {
            "attributed_touch_type": "click",
            "click_id": click_id,
            "click_ipv6": visitor.phone.columns["device_ipv6"],
            "click_timestamp": str(moment - rng.randrange(30, 3000)),
            "click_url_parameters": f"click_id={click_id}&c=протез&x=%D0%9F",
            "click_user_agent": "Mozilla/5.0 (Linux; Android 14)",
            "match_type": rng.choice(("fingerprint", "referrer", "identifier")),
            "publisher_id": str(rng.randrange(1, 90)),
            "publisher_name": rng.choice(("AdColony", "Yandex.Direct", 'ООО "Реклама", Москва')),
            "tracker_name": "Кампания 1",
            "tracking_id": str(rng.randrange(10**19, 2**64)),
        }
    made = _made(visitor, "installations", moment, delay, **columns)
    yield made
    if rng.random() < _INSTALLED_TWICE:
        yield made


def _profile(visitor: _Visitor, moment: int) -> Made:
    phone, patient = visitor.phone, visitor.patient
    row: dict[str, Any] = phone.row("profiles_v2") | {
        "at": datetime.fromtimestamp(moment, UTC),
        "app_framework": "0",
        "appmetrica_crashes": "0",
        "appmetrica_errors": "0",
        "appmetrica_first_session_date": phone.days[0],
        "appmetrica_last_start_date": phone.days[-1],
        "appmetrica_sessions": str(phone.sessions),
    }
    if visitor.signed_in:
        row |= {
            "appmetrica_gender": patient.gender[0].upper(),
            "appmetrica_birth_date": str(patient.state["age"]),
            "appmetrica_notifications_enabled": patient.push["push_enabled"],
        }
        # After the documented fields, of which one bears the name of an attribute: city.
        row = attributes_of(patient, phone) | row
    return Made("profiles_v2", row, moment)


def attributes_of(patient: Patient, phone: Phone) -> dict[str, Any]:
    """The custom attributes that the app sets: what it tells Amplitude, without pushes."""
    properties = patient.mobile_properties(phone.app_version)
    return {name: value for name, value in properties.items() if name not in patient.push}


def _event_json(name: str, rng: random.Random) -> str:
    chance = rng.random()
    if chance < 0.1:
        return ""
    if chance < 0.105:
        return rng.choice(_BROKEN)
    if chance < 0.115:
        return rng.choice(_NO_OBJECTS)
    if chance < 0.125:
        return _TWICE
    if name == "Баннер показан":
        properties: dict[str, Any] = {"Заголовок": "Что умеет приложение?", "Место": "ГЛАВНАЯ"}
    else:
        properties = event_properties(name, rng)
    return json.dumps(properties, ensure_ascii=False)
