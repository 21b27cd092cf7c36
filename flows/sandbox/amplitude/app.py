"""What the invented medical app sends: names of events and the properties of each."""

import random
from typing import Any

WEB_EVENTS = (
    "[Amplitude] Page Viewed",
    "[Amplitude] Page Viewed",
    "[Amplitude] Element Clicked",
    "Appointment Booked",
    "Pain Diary Saved",
    "Article Read",
    "Message Sent",
)
MOBILE_EVENTS = (
    "[Amplitude] Screen Viewed",
    "Prosthesis Connected",
    "Exercise Started",
    "Exercise Finished",
    "Pain Diary Saved",
    "Firmware Updated",
    "Push Opened",
)


def event_properties(name: str, rng: random.Random) -> dict[str, Any]:
    """What the app tells about one event; nested, oddly spelt and of changing type, as apps do."""
    match name:
        case "session_start" | "session_end":
            return {}
        case "[Amplitude] Page Viewed" | "[Amplitude] Element Clicked":
            page = rng.choice(("home", "termine", "übungen", "shop"))
            return {
                "[Amplitude] Page Domain": "patient.example.org",
                "[Amplitude] Page Path": f"/{page}",
                "[Amplitude] Page Title": f"Пациент · {page} 🦿",
                "[Amplitude] Page URL": f"https://patient.example.org/{page}",
                "is enterprise?": rng.random() < 0.1,
            }
        case "Exercise Started" | "Exercise Finished":
            return {
                "Exercise Id": rng.choice((rng.randrange(90), str(rng.randrange(90)))),
                "steps": [{"name": "grip", "seconds": rng.randrange(60)}, {"name": "rest"}],
                "sensor.emg": {"peak": rng.randrange(1000) / 10, "noise": None},
            }
        case "Pain Diary Saved":
            return {"City": "x", "city": "y", "note": "zwickt, “aber” \\ geht\n\tso"}
        case _:
            return {"value": rng.randrange(100), "ad_metrics.cost": rng.randrange(10)}
