"""Typed settings, one block per system, from the environment or `.env` (see `.env.example`).

Read a block inside the flow that needs it, with `load()`: what is missing is said at once, by name.
"""

from datetime import date, timedelta
from pathlib import Path
from typing import Annotated, Literal, Self
from urllib.parse import quote
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import psycopg
from psycopg.conninfo import conninfo_to_dict
from pydantic import (
    AfterValidator,
    AnyHttpUrl,
    BeforeValidator,
    Field,
    SecretStr,
    ValidationError,
    field_validator,
)
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from flows.errors import MissingSetting

PROJECT = Path(__file__).resolve().parent.parent


def _block(prefix: str) -> SettingsConfigDict:
    return SettingsConfigDict(
        env_prefix=prefix,
        env_file=(PROJECT / ".env", ".env"),
        env_file_encoding="utf-8",
        env_ignore_empty=True,
        extra="ignore",
        frozen=True,
        hide_input_in_errors=True,
    )


class Block(BaseSettings):
    """One system's settings."""

    @classmethod
    def load(cls) -> Self:
        """Read the block; raises MissingSetting with every name that is missing or malformed."""
        try:
            return cls()
        except ValidationError as error:
            prefix = cls.model_config.get("env_prefix", "")
            lines = [
                f"{prefix}{'_'.join(str(part) for part in problem['loc'])}".upper()
                + (" is missing" if problem["type"] == "missing" else f": {problem['msg']}")
                for problem in error.errors(include_input=False, include_url=False)
            ]
        raise MissingSetting(
            "; ".join(lines)
            + ". Set it in the environment or in .env (.env.example explains each)."
        )


def _ages(text: object) -> object:
    """ "24h, 7d" as spans of time, in order."""
    if not isinstance(text, str):
        return text
    units = {"h": timedelta(hours=1), "d": timedelta(days=1)}
    words = [word.strip() for word in text.split(",") if word.strip()]
    if not all(word[:-1].isdecimal() and word[-1] in units for word in words):
        raise ValueError("is no list of ages, such as 24h, 7d; none is written as 0d")
    return tuple(sorted(age for word in words if (age := int(word[:-1]) * units[word[-1]])))


Ages = Annotated[tuple[timedelta, ...], NoDecode, BeforeValidator(_ages)]


def _time_zone(name: str) -> str:
    try:
        ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise ValueError("is no IANA time zone, such as Europe/Moscow") from None
    return name


TimeZone = Annotated[str, AfterValidator(_time_zone)]


def _postgresql_url(url: SecretStr) -> SecretStr:
    if not url.get_secret_value().startswith(("postgresql://", "postgres://")):
        raise ValueError("must be postgresql://user:password@host:port/database")
    try:
        parts = conninfo_to_dict(url.get_secret_value())
    except psycopg.ProgrammingError:
        parts = {}
    # libpq ends the password at the first @, and would name the rest of it as a host it cannot
    # find. What it says of an address that it cannot read quotes the password as well.
    port = str(parts.get("port") or "5432")
    if not parts or "@" in str(parts.get("host", "")) or not port.isdecimal():
        raise ValueError(
            "is no address that PostgreSQL's own library can read: in user and password, write"
            " @ : / ? # % and blanks percent-encoded, such as %40 for @"
        )
    if not parts.get("dbname"):
        raise ValueError("names no database: postgresql://user:password@host:port/database")
    return url


PostgresUrl = Annotated[SecretStr, AfterValidator(_postgresql_url)]

# A table of somebody else's database, with or without its schema.
TableName = Annotated[str, Field(pattern=r"^[^.]+(\.[^.]+)?$")]


class Dwh(Block):
    """The warehouse."""

    model_config = _block("DWH_")

    database_url: PostgresUrl
    max_write_batch_bytes: int = Field(10_000_000, gt=0)
    max_rows_per_insert: int = Field(1000, gt=0)
    copy_commit_bytes: int = Field(256 * 1024 * 1024, gt=0)
    complete_since: date | None = None
    time_zone: TimeZone = "UTC"
    analysts_see_personal: bool = False

    @classmethod
    def is_set_up(cls) -> bool:
        """Whether there is a warehouse, its address malformed or not: exports work without one."""
        try:
            cls()
        except ValidationError as error:
            return any(problem["type"] != "missing" for problem in error.errors())
        return True


# A ratio matters when it is of something large: small files may repeat themselves as they like.
BOMB_FLOOR_BYTES = 100 * 1024 * 1024


class Limits(Block):
    """What a file from outside may be at most; what is beyond is damaged or made to do harm.

    archive_max_ratio: bytes that may come out of one packed byte, where more than BOMB_FLOOR_BYTES
    come; archive_max_bytes: of one archive or vendor's answer, unpacked;
    archive_max_members: files in a vendor's zip; line_max_bytes: of one line of NDJSON, which
    decides how much memory a loader may need.
    """

    model_config = _block("DWH_")

    # NDJSON deflates to a tenth. Only repetition made on purpose passes 500.
    archive_max_ratio: int = Field(500, gt=0)
    # A week of one project is some GB; a directory that promises more than 4 TiB lies.
    archive_max_bytes: int = Field(4 * 1024**4, gt=0)
    # A day has 24 hours in some dozens of partitions.
    archive_max_members: int = Field(100_000, gt=0)
    # PostgreSQL holds 1 GB in a value and needs a multiple of a line while it reads it. No vendor
    # sends a hundredth of this.
    line_max_bytes: int = Field(256 * 1024 * 1024, ge=1024 * 1024)

    def is_bomb(self, inflated_bytes: int, deflated_bytes: int) -> bool:
        """Whether it is too much, or came out of so little on purpose."""
        return inflated_bytes > self.archive_max_bytes or (
            inflated_bytes > BOMB_FLOOR_BYTES
            and inflated_bytes > self.archive_max_ratio * deflated_bytes
        )


class Amplitude(Block):
    """The Amplitude Export API. Base URL of the EU region: https://analytics.eu.amplitude.com"""

    model_config = _block("AMPLITUDE_")

    base_url: AnyHttpUrl = AnyHttpUrl("https://amplitude.com")
    web_client_id: str | None = None
    web_secret_key: SecretStr | None = None
    mobile_client_id: str | None = None
    mobile_secret_key: SecretStr | None = None
    reask_after: Ages = (timedelta(hours=24), timedelta(days=7))

    def key_pair(self, source: str) -> tuple[str, str]:
        """Client id and secret key of "web" or "mobile"; MissingSetting names what is not set."""
        client_id = getattr(self, f"{source}_client_id")
        secret_key = getattr(self, f"{source}_secret_key")
        missing = [
            f"AMPLITUDE_{source.upper()}_{name}"
            for name, value in (("CLIENT_ID", client_id), ("SECRET_KEY", secret_key))
            if not value
        ]
        if missing:
            raise MissingSetting(
                f"{' and '.join(missing)} missing. Set it in the environment or .env: the API key"
                " and secret key of the project stand in Amplitude under Settings, Projects."
            )
        return client_id, secret_key.get_secret_value()


class AppMetrica(Block):
    """The AppMetrica Logs API of one application."""

    model_config = _block("APPMETRICA_")

    base_url: AnyHttpUrl = AnyHttpUrl("https://api.appmetrica.yandex.net")
    api_key: SecretStr
    application_id: int = Field(gt=0)
    poll_interval_seconds: float = Field(5.0, ge=0)
    poll_timeout_seconds: float = Field(300.0, ge=0)
    time_zone: TimeZone | None = None
    confirm_after_days: int = Field(1, ge=0)
    reask_after: Ages = (timedelta(days=7), timedelta(days=14))

    @classmethod
    def is_set_up(cls) -> bool:
        """Whether a company has this vendor at all: one of the required settings is there."""
        try:
            cls()
        except ValidationError as error:
            missing = {
                problem["loc"][0] for problem in error.errors() if problem["type"] == "missing"
            }
            return not missing >= {"api_key", "application_id"}
        return True


class Crm(Block):
    """The CRM's database, PostgreSQL 12 or newer: who the users are."""

    model_config = _block("CRM_")

    database_url: PostgresUrl
    users_table: TableName = "users"


class Telemetry(Block):
    """The telemetry database, PostgreSQL 12 or newer: what their prostheses sent.

    lookback_hours: an incremental import takes what was saved since so long before the newest
    event that it has, for events that were committed late.
    """

    model_config = _block("TELEMETRY_")

    database_url: PostgresUrl
    events_table: TableName = "telemetry_events"
    lookback_hours: float = Field(48.0, ge=0)


class S3(Block):
    """The archive. An empty endpoint means AWS; any other endpoint is addressed path-style."""

    model_config = _block("S3_")

    access_key_id: str
    secret_access_key: SecretStr
    region: str = "us-east-1"
    endpoint_url: str | None = None
    bucket_name: str
    browse_url: AnyHttpUrl | None = None

    def link_to(self, key: str) -> str:
        """Where people open an object: under browse_url, else s3://bucket/key. Never a secret."""
        if self.browse_url is None:
            return f"s3://{self.bucket_name}/{key}"
        return f"{str(self.browse_url).rstrip('/')}/{quote(key)}"


class Logging(Block):
    """How much a run logs."""

    model_config = _block("LOGGING_")

    level: Literal["DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL"] = "INFO"

    @field_validator("level", mode="before")
    @classmethod
    def _in_capitals(cls, level: str) -> str:
        return level.upper()
