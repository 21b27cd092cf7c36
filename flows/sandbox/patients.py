"""The invented people of the sandbox: what never changes about them, and what does.

One person is the same for both vendors, on the web and on phones: all hangs on (seed, number).
"""

import random
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Any

_CITIES = (
    ("Berlin", "DE", "de", "Europe/Berlin", "Germany"),
    ("München", "DE", "de", "Europe/Berlin", "Germany"),
    ("Sofia", "BG", "bg", "Europe/Sofia", "Bulgaria"),
    ("Kraków", "PL", "pl", "Europe/Warsaw", "Poland"),
    ("São Paulo", "BR", "pt", "America/Sao_Paulo", "Brazil"),
    ("東京", "JP", "ja", "Asia/Tokyo", "Japan"),
    ("Leeds", "GB", "en", "Europe/London", "United Kingdom"),
    ("Burlington", "US", "en", "America/New_York", "United States"),
)
_BLOOD_TYPES = ("A+", "A-", "B+", "B-", "AB+", "AB-", "0+", "0-")
_DIAGNOSES = ("S68.4", "S78.1", "S88.1", "Q71.2", "Q72.3", "Z89.2", "Z97.1")
_MODELS = {
    "arm": ("Manus Arm", "Kinetic A2"),
    "hand": ("Manus 3", "Grip Pro"),
    "leg": ("Stride X", "Genu 5"),
}
_PLANS = ("free", "basic", "premium")
_FIRMWARES = ("2.3.0", "2.4.0", "2.4.1", "3.0.0")

Properties = dict[str, Any]


def _timestamp(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")


@dataclass(slots=True)
class Patient:
    """One person; `live_through` must be called for each day in order, with visits or without."""

    number: int
    rng: random.Random
    ehr_id: str
    gender: str
    birth_date: date
    enrolled_at: datetime
    blood_type: str
    diagnosis_code: str
    first_clinic_id: int
    country: str
    state: Properties
    push: Properties

    @classmethod
    def invent(cls, seed: int, number: int, start_day: date) -> "Patient":
        """The person of this number as of the first day."""
        rng = random.Random(f"{seed}/patient/{number}")
        city, country_code, language, timezone, country = rng.choice(_CITIES)
        birth_date = date(1940, 1, 1) + timedelta(days=rng.randrange(65 * 365))
        enrolled_day = start_day - timedelta(days=rng.randrange(1, 900))
        enrolled_at = datetime.combine(enrolled_day, time(rng.randrange(7, 19)), UTC)
        clinic = rng.randrange(1, 25)
        prosthesis_type = rng.choice(tuple(_MODELS))
        return cls(
            number,
            rng,
            f"EHR-{number:06d}",
            rng.choice(("male", "female")),
            birth_date,
            enrolled_at + timedelta(seconds=rng.randrange(3600)),
            rng.choice(_BLOOD_TYPES),
            rng.choice(_DIAGNOSES),
            clinic,
            country,
            {
                "age": (start_day - birth_date).days // 365,
                "height_cm": rng.randrange(1480, 2000) / 10,
                "weight_kg": rng.randrange(480, 1100) / 10,
                "city": city,
                "country_code": country_code,
                "language": language,
                "subscription_plan": rng.choice(_PLANS),
                "doctor_id": rng.randrange(100, 180),
                "clinic_id": clinic,
                "prosthesis_type": prosthesis_type,
                "prosthesis_model": rng.choice(_MODELS[prosthesis_type]),
                "prosthesis_side": rng.choice("LR"),
                "firmware_version": rng.choice(_FIRMWARES[:2]),
                "notifications_count": rng.randrange(20),
                "pain_level": rng.randrange(11),
                "daily_wear_hours": rng.randrange(0, 33) / 2,
                "last_visit_at": _timestamp(enrolled_at),
                "timezone": timezone,
                "subscription_ends_on": str(start_day + timedelta(days=rng.randrange(10, 300))),
            },
            {
                "push_enabled": rng.random() < 0.7,
                "push_token_updated_at": _timestamp(enrolled_at),
            },
        )

    def live_through(self, day: date) -> None:
        """Let a day pass: weights shift, plans and doctors change, firmware is updated."""
        rng, state = self.rng, self.state
        if (day.month, day.day) == (self.birth_date.month, self.birth_date.day):
            state["age"] += 1
        state["notifications_count"] = max(0, state["notifications_count"] + rng.randint(-2, 3))
        if rng.random() < 0.4:
            state["pain_level"] = min(10, max(0, state["pain_level"] + rng.choice((-1, 1))))
            state["daily_wear_hours"] = rng.randrange(0, 33) / 2
        if rng.random() < 0.1:
            state["weight_kg"] = round(state["weight_kg"] + rng.choice((-0.4, 0.3, 0.5)), 1)
        if rng.random() < 0.03:
            state["subscription_plan"] = rng.choice(_PLANS)
            state["subscription_ends_on"] = str(day + timedelta(days=rng.choice((30, 365))))
        if rng.random() < 0.02:
            state["doctor_id"] = rng.randrange(100, 180)
            state["clinic_id"] = rng.randrange(1, 25)
            state["last_visit_at"] = _timestamp(
                datetime.combine(day, time(rng.randrange(7, 18)), UTC)
            )
        if rng.random() < 0.03:
            state["firmware_version"] = rng.choice(_FIRMWARES)
        if rng.random() < 0.01:
            city, code, language, timezone, self.country = rng.choice(_CITIES)
            state |= {"city": city, "country_code": code, "language": language}
            state["timezone"] = timezone
        if rng.random() < 0.0005:
            self.blood_type = rng.choice(
                _BLOOD_TYPES
            )  # a correction: the first value stays permanent
        if rng.random() < 0.04:
            self.push["push_enabled"] = not self.push["push_enabled"]
            self.push["push_token_updated_at"] = _timestamp(
                datetime.combine(day, time(rng.randrange(24), rng.randrange(60)), UTC)
            )

    @property
    def is_subscribed(self) -> bool:
        """Whether a paid plan runs."""
        return bool(self.state["subscription_plan"] != "free")

    def web_properties(self) -> Properties:
        """user_properties as the web app sends them: much is text, "EMPTY" is nothing."""
        state = self.state
        return {
            "ehr_id": self.ehr_id,
            "gender": self.gender,
            "birth_date": str(self.birth_date),
            "registration_date": str(self.enrolled_at.date()),
            "blood_type": self.blood_type,
            "diagnosis_code": self.diagnosis_code,
            "enrolled_at": _timestamp(self.enrolled_at),
            "first_clinic_id": self.first_clinic_id,
            **state,
            "age": f"{state['age']} years",
            "weight_kg": str(state["weight_kg"]),
            "is_subscribed": "true" if self.is_subscribed else "false",
            "subscription_ends_on": state["subscription_ends_on"]
            if self.is_subscribed
            else "EMPTY",
        }

    def mobile_properties(self, app_version: str) -> Properties:
        """user_properties as the mobile app sends them: numbers and booleans, other names, push."""
        state = dict(self.state)
        if not self.is_subscribed:
            state["subscription_ends_on"] = None
        return {
            "ehr_id": self.ehr_id,
            "sex": self.gender[0],
            "birth_date": str(self.birth_date),
            "registration_date": str(self.enrolled_at.date()),
            "diagnosis_code": self.diagnosis_code,
            "enrolled_at": _timestamp(self.enrolled_at),
            **state,
            "is_subscribed": self.is_subscribed,
            "app_version": app_version,
            **self.push,
        }
