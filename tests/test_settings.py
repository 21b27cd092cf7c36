"""Settings come from the environment or `.env`; what is wrong is said by name, never by value."""

import os
import re
from argparse import Namespace

import pytest
from dbt.config.profile import Profile, read_profile
from dbt.config.renderer import ProfileRenderer
from dbt.flags import set_from_args
from dbt_common.context import set_invocation_context
from psycopg.conninfo import conninfo_to_dict

from flows.errors import MissingSetting
from flows.settings import PROJECT, S3, Amplitude, AppMetrica, Crm, Dwh, Limits, Logging, Telemetry

URL = "postgresql://me:secret@127.0.0.1:5432/db"


@pytest.fixture
def env_file(tmp_path, monkeypatch):
    """A .env that all blocks read."""
    path = tmp_path / ".env"
    for block in (Dwh, Amplitude, AppMetrica, S3, Logging):
        monkeypatch.setitem(block.model_config, "env_file", path)
    return path


def test_defaults_are_the_contract_s(monkeypatch):
    """A block needs only what has no default."""
    monkeypatch.setenv("DWH_DATABASE_URL", URL)
    monkeypatch.setenv("S3_ACCESS_KEY_ID", "id")
    monkeypatch.setenv("S3_SECRET_ACCESS_KEY", "secret")
    monkeypatch.setenv("S3_BUCKET_NAME", "bucket")
    dwh, s3, amplitude = Dwh.load(), S3.load(), Amplitude.load()
    assert (dwh.max_write_batch_bytes, dwh.max_rows_per_insert, dwh.copy_commit_bytes) == (
        10_000_000,
        1000,
        256 * 1024 * 1024,
    )
    assert (dwh.complete_since, dwh.time_zone) == (None, "UTC")
    assert (s3.region, s3.endpoint_url, s3.bucket_name) == ("us-east-1", None, "bucket")
    assert str(amplitude.base_url) == "https://amplitude.com/"
    assert Logging.load().level == "INFO"


@pytest.mark.parametrize(
    ("browse_url", "link"),
    [
        ("", "s3://bucket/reports/a b.html"),
        ("https://files.example.org", "https://files.example.org/reports/a%20b.html"),
        ("https://files.example.org/x/", "https://files.example.org/x/reports/a%20b.html"),
    ],
)
def test_links_lead_to_where_browsers_find_the_bucket(monkeypatch, browse_url, link):
    """Without such an address they name the object; no key of S3 is in them."""
    for name, value in (("ACCESS_KEY_ID", "id"), ("SECRET_ACCESS_KEY", "secret")):
        monkeypatch.setenv(f"S3_{name}", value)
    monkeypatch.setenv("S3_BUCKET_NAME", "bucket")
    monkeypatch.setenv("S3_BROWSE_URL", browse_url)
    assert S3.load().link_to("reports/a b.html") == link


def test_appmetrica_s_defaults_are_the_contract_s(monkeypatch):
    """Token and application are needed; an unknown time zone is refused by name."""
    with pytest.raises(MissingSetting) as error:
        AppMetrica.load()
    assert str(error.value).startswith(
        "APPMETRICA_API_KEY is missing; APPMETRICA_APPLICATION_ID is missing."
    )
    monkeypatch.setenv("APPMETRICA_API_KEY", "secret")
    monkeypatch.setenv("APPMETRICA_APPLICATION_ID", "1111")
    block = AppMetrica.load()
    assert "secret" not in repr(block)
    assert (str(block.base_url), block.application_id, block.time_zone) == (
        "https://api.appmetrica.yandex.net/",
        1111,
        None,
    )
    assert (
        block.poll_interval_seconds,
        block.poll_timeout_seconds,
        block.confirm_after_days,
    ) == (5, 300, 1)
    monkeypatch.setenv("APPMETRICA_TIME_ZONE", "Moscow")
    with pytest.raises(MissingSetting, match=r"^APPMETRICA_TIME_ZONE: .*no IANA time zone"):
        AppMetrica.load()


def test_env_file_is_read_and_the_environment_wins(env_file, monkeypatch):
    """`.env` alone is enough; a variable of the environment replaces its line, an empty one not."""
    env_file.write_text(f"DWH_DATABASE_URL={URL}\nDWH_COPY_COMMIT_BYTES=1\nFOREIGN=1\nDWH_FOO=1\n")
    assert Dwh.load().database_url.get_secret_value() == URL
    monkeypatch.setenv("DWH_COPY_COMMIT_BYTES", "2")
    monkeypatch.setenv("DWH_DATABASE_URL", "")
    assert (Dwh.load().copy_commit_bytes, Dwh.load().database_url.get_secret_value()) == (2, URL)


def test_everything_that_is_missing_is_named_at_once():
    """One error for all variables of a block, with the cure."""
    with pytest.raises(MissingSetting) as error:
        S3.load()
    assert str(error.value) == (
        "S3_ACCESS_KEY_ID is missing; S3_SECRET_ACCESS_KEY is missing; S3_BUCKET_NAME is missing."
        " Set it in the environment or in .env (.env.example explains each)."
    )


def test_only_the_key_pair_in_use_is_needed(monkeypatch):
    """The web project is exported without the mobile one's keys; half a pair names the other."""
    monkeypatch.setenv("AMPLITUDE_WEB_CLIENT_ID", "id")
    monkeypatch.setenv("AMPLITUDE_WEB_SECRET_KEY", "key")
    monkeypatch.setenv("AMPLITUDE_MOBILE_CLIENT_ID", "id")
    assert Amplitude.load().key_pair("web") == ("id", "key")
    with pytest.raises(MissingSetting, match=r"^AMPLITUDE_MOBILE_SECRET_KEY missing"):
        Amplitude.load().key_pair("mobile")


@pytest.mark.parametrize(
    "url",
    [
        "mysql://me:s3cret@host/db",
        "postgresql://me:s3cret@host:port/db",
        "postgresql://me:p@s3cret@host/db",
        "postgresql://me:s3cret%@host/db",
        "postgresql://me:s3cret@host/db?nonsense=1",
        "postgresql://me:s3cret@host",
    ],
)
def test_a_wrong_address_is_refused_without_its_password(monkeypatch, url):
    """Neither the message nor the chain behind it holds a part of the password."""
    monkeypatch.setenv("DWH_DATABASE_URL", url)
    with pytest.raises(MissingSetting) as error:
        Dwh.load()
    assert str(error.value).startswith("DWH_DATABASE_URL: ")
    cause = error.value.__cause__ or error.value.__context__
    assert "s3cret" not in f"{error.value} {cause}"


def test_secrets_do_not_show(monkeypatch):
    """Printing a block shows no secret."""
    monkeypatch.setenv("DWH_DATABASE_URL", URL)
    monkeypatch.setenv("AMPLITUDE_WEB_SECRET_KEY", "secret")
    assert "secret" not in f"{Dwh.load()!r} {Amplitude.load().web_secret_key!r} {Dwh.load()}"


def test_the_example_names_every_variable():
    """`.env.example` and the blocks hold the same names."""
    blocks = (Dwh, Limits, Amplitude, AppMetrica, Crm, Telemetry, S3, Logging)
    wanted = {
        f"{block.model_config['env_prefix']}{name}".upper()
        for block in blocks
        for name in block.model_fields
    }
    text = (PROJECT / ".env.example").read_text()
    shown = set(re.findall(r"(?m)^#?([A-Z0-9_]+)=", text))
    assert shown - {"POSTGRES_BIN", "RCLONE_BIN", "DWH_SANDBOX"} == wanted


@pytest.mark.parametrize(
    ("url", "parts"),
    [
        ("postgresql://me:pw@127.0.0.1:5555/db", ("127.0.0.1", 5555, "me", "pw", "db", "prefer")),
        (
            "postgresql://me:p%40ss%3Aw%2Frd%25@host/db?sslmode=disable",
            ("host", 5432, "me", "p@ss:w/rd%", "db", "disable"),
        ),
        ("postgres://me:00123@localhost/db", ("localhost", 5432, "me", "00123", "db", "prefer")),
        ("postgresql://me@[::1]:6000/db", ("::1", 6000, "me", "", "db", "prefer")),
        (
            "postgresql:///a%20b?host=%2Ftmp%2Fsock&port=77&user=j&password=k%26",
            ("/tmp/sock", 77, "j", "k&", "a b", "prefer"),
        ),
        (
            "postgresql://j%C3%B6rg:%D0%BF%20%7B%7B%201%20%7D%7D@host/db?connect_timeout=3",
            ("host", 5432, "jörg", "п {{ 1 }}", "db", "prefer"),
        ),
    ],
)
def test_dbt_reads_the_address_as_postgresql_s_library_does(monkeypatch, url, parts):
    """Special characters, sockets, IPv6 and TLS modes reach dbt as they reach the loader."""
    monkeypatch.setenv("DWH_DATABASE_URL", url)
    for name in ("PGHOST", "PGPORT", "PGUSER", "PGPASSWORD", "PGSSLMODE"):
        monkeypatch.delenv(name, raising=False)
    assert Dwh.load().database_url.get_secret_value() == url
    seen = _credentials_of_dbt()
    assert (seen.host, seen.port, seen.user, seen.password, seen.database, seen.sslmode) == parts
    libpq = conninfo_to_dict(url)
    given = {"host": seen.host, "user": seen.user, "dbname": seen.database}
    assert given == {name: libpq[name] for name in given}
    assert seen.password == libpq.get("password", "")


def test_certificates_reach_dbt(monkeypatch):
    """A server that is to be verified needs its authority's file."""
    monkeypatch.setenv("DWH_DATABASE_URL", f"{URL}?sslmode=verify-full&sslrootcert=%2Fetc%2Fca.pem")
    seen = _credentials_of_dbt()
    assert (seen.sslmode, seen.sslrootcert, seen.sslcert) == ("verify-full", "/etc/ca.pem", "")


def _credentials_of_dbt():
    set_from_args(Namespace(), {})
    set_invocation_context(os.environ)
    raw = read_profile(str(PROJECT / "dbt_project"))
    return Profile.from_raw_profiles(raw, "dwh_helper", ProfileRenderer({}), None).credentials
