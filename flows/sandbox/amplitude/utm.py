"""The web SDK's automatic user properties: where a visitor came from, "EMPTY" for nothing."""

import random
from typing import Any

_CAMPAIGN = ("source", "medium", "campaign", "content", "term", "id")
_CLICK_IDS = ("gclid", "fbclid", "dclid")
_REFERRERS = ("https://www.google.com/", "https://duckduckgo.com/", "https://клиника.example/")


def utm_properties(rng: random.Random) -> dict[str, Any]:
    """First and present campaign, click ids and referrer of one visit."""
    properties: dict[str, Any] = {}
    paid = rng.random() < 0.2
    for part in _CAMPAIGN:
        value = f"{part}-{rng.randrange(5)}" if paid else "EMPTY"
        properties[f"initial_utm_{part}"] = value
        if paid:
            properties[f"utm_{part}"] = value
    for name in _CLICK_IDS:
        properties[f"initial_{name}"] = "EMPTY"
    if paid:
        properties["gclid"] = properties["initial_gclid"] = f"{rng.getrandbits(64):016x}"
    properties["initial_msclkid"] = "EMPTY"
    referrer = rng.choice(_REFERRERS) if rng.random() < 0.5 else "EMPTY"
    properties["initial_referrer"] = referrer
    properties["initial_referring_domain"] = referrer.removeprefix("https://").strip("/")
    if referrer != "EMPTY":
        properties["referrer"] = referrer
        properties["referring_domain"] = properties["initial_referring_domain"]
    return properties
