"""Phones with the app: the columns that stay the same for one installation."""

import random
import uuid
from dataclasses import dataclass, field

from flows.sandbox.patients import Patient
from flows.vendors.appmetrica_tables import TABLES

_IPHONES = (("iPhone X", "iPhone10,3"), ("iPhone 14 Pro", "iPhone15,2"))
_ANDROIDS = (
    ("Samsung", "Galaxy S23", "SM-S911B"),
    ("Xiaomi", "Redmi Note 12", "23021RAA2Y"),
    ("HUAWEI", "P50 Pro", "JAD-LX9"),
)
#: Country code, network code, carrier, as the SIM card tells them.
_CARRIERS = ((250, 1, "MTS RUS"), (250, 99, "Beeline"), (262, 1, "Telekom.de"), (0, 0, ""))
_APP_VERSIONS = (("444", "5.11.2"), ("451", "5.12.0"), ("452", "5.12.1"))
_PACKAGE = "org.example.patient"


@dataclass(slots=True)
class Phone:
    """One installation; columns: values of the fields that tables share."""

    columns: dict[str, str]
    sessions: int = 0
    days: list[str] = field(default_factory=list)

    @property
    def app_version(self) -> str:
        """Version of the app."""
        return self.columns["app_version_name"]

    def row(self, table: str) -> dict[str, object]:
        """The fields of a table that the phone fills."""
        known = TABLES[table].fields
        return {name: value for name, value in self.columns.items() if name in known}


def invent_phone(number: int, rng: random.Random, patient: Patient, profile_id: str) -> Phone:
    """The phone of one person. number: odd ones have a device id above 2^63."""
    # uint64: half of the real ids do not fit into a signed number.
    device_id = rng.randrange(2**63, 2**64) if number % 2 else rng.randrange(10**15, 2**63)
    build, version = rng.choice(_APP_VERSIONS)
    mcc, mnc, operator = rng.choice(_CARRIERS)
    columns = {
        "installation_id": f"{rng.getrandbits(128):032x}",
        "appmetrica_device_id": str(device_id),
        "appmetrica_sdk_version": "7005000",
        "app_build_number": build,
        "app_package_name": _PACKAGE,
        "app_version_name": version,
        "city": patient.state["city"] if rng.random() < 0.8 else "",
        "connection_type": rng.choice(("wifi", "wifi", "cell", "unknown")),
        "country_iso_code": patient.state["country_code"],
        "device_ipv6": f"::ffff:203.0.113.{rng.randrange(256)}",
        "device_locale": f"{patient.state['language']}_{patient.state['country_code']}",
        "device_type": rng.choice(("phone", "phone", "phone", "tablet")),
        "mcc": str(mcc),
        "mnc": str(mnc),
        "operator_name": operator,
        "profile_id": profile_id,
    }
    if rng.random() < 0.5:
        model, original = rng.choice(_IPHONES)
        columns |= {
            "device_manufacturer": "Apple",
            "device_model": model,
            "original_device_model": original,
            "ios_ifa": _uuid(rng).upper() if rng.random() < 0.3 else "",
            "ios_ifv": _uuid(rng).upper(),
            "os_name": "ios",
            "os_version": "18.6.2",
        }
    else:
        maker, model, original = rng.choice(_ANDROIDS)
        columns |= {
            "android_id": f"{rng.getrandbits(64):016x}",
            "device_manufacturer": maker,
            "device_model": model,
            "original_device_model": original,
            "google_aid": _uuid(rng) if maker != "HUAWEI" else "",
            "oaid": _uuid(rng) if maker == "HUAWEI" else "",
            "os_name": "android",
            "os_version": "14",
        }
    return Phone(columns)


def _uuid(rng: random.Random) -> str:
    return str(uuid.UUID(int=rng.getrandbits(128), version=4))
