"""Browsers and phones: the columns of a row that stay the same for one device."""

import random
import uuid
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from flows.sandbox.amplitude.projects import PROJECT_IDS

_BROWSERS = (("Chrome", "131"), ("Chrome Mobile", "131"), ("Safari", "18.2"), ("Firefox", "134"))
_DESKTOPS = (("Mac", "Mac OS X"), ("Windows", "Windows"), (None, "Linux"))
_IPHONES = (("Apple iPhone", "iPhone14,5"), ("Apple iPhone", "iPhone16,1"))
_ANDROIDS = (("OnePlus 6", "OnePlus Phone"), ("Samsung Galaxy S23", "Samsung Phone"))
_APP_VERSIONS = ("5.11.2", "5.12.0", "5.12.1")

_REGIONS = {"Berlin": "Land Berlin", "München": "Bavaria", "Burlington": "Vermont", "東京": "Tokyo"}


@dataclass(frozen=True, slots=True)
class Device:
    """One device of one person: the columns it fills, and how wrong its clock is."""

    columns: dict[str, Any]
    skew: timedelta
    app_version: str


def invent_device(project: str, rng: random.Random, country: str, city: str) -> Device:
    """A browser for the web project, a phone for the mobile one."""
    columns: dict[str, Any] = {
        "app": PROJECT_IDS[project],
        "amplitude_id": rng.randrange(10**11, 2 * 10**12),
        "country": country,
        "city": city,
        "region": _REGIONS.get(city),
        "language": "English",
        "ip_address": f"203.0.113.{rng.randrange(256)}"
        if rng.random() < 0.8
        else f"2001:db8::{rng.randrange(65536):x}",
        "paying": rng.choice((None, False, True)),
        "data_type": "event",
    }
    version = rng.choice(_APP_VERSIONS)
    if country == "United States":
        columns["dma"] = "Burlington, VT-Plattsburgh, NY"
    if project == "web":
        browser, browser_version = rng.choice(_BROWSERS)
        device_type, family = rng.choice(_DESKTOPS)
        columns |= {
            "platform": "Web",
            "os_name": browser,
            "os_version": browser_version,
            "device_type": device_type,
            "device_family": family,
            "device_id": str(uuid.UUID(int=rng.getrandbits(128), version=4)),
            "library": "amplitude-ts/2.16.1",
            "plan": {"branch": "main", "source": "web", "version": "1"},
        }
    elif rng.random() < 0.5:
        device_type, model = rng.choice(_IPHONES)
        columns |= {
            "platform": "iOS",
            "os_name": "ios",
            "os_version": "18.2",
            "device_type": device_type,
            "device_family": "Apple iPhone",
            "device_model": model,
            "device_id": str(uuid.UUID(int=rng.getrandbits(128), version=4)).upper(),
            "device_carrier": "Unknown",
            "library": "amplitude-flutter/4.3.2_amplitude-swift/1.13.6",
        }
    else:
        device_type, family = rng.choice(_ANDROIDS)
        columns |= {
            "platform": "Android",
            "os_name": "android",
            "os_version": "14",
            "device_type": device_type,
            "device_family": family,
            "device_brand": family.split()[0],
            "device_id": f"{uuid.UUID(int=rng.getrandbits(128), version=4)}R",
            "device_carrier": "A1 BG",
            "library": "amplitude-android/2.9.2",
            "location_lat": 42.69 + rng.randrange(1000) / 10_000,
            "location_lng": 23.32 + rng.randrange(1000) / 10_000,
        }
    if project == "mobile":
        columns |= {"version_name": version, "start_version": _APP_VERSIONS[0]}
    # A few clocks are wrong; under a minute the vendor does not correct, above it does.
    skew = timedelta(seconds=rng.choice((-40, 25, 5400)) if rng.random() < 0.05 else 0)
    return Device(columns, skew, version)
