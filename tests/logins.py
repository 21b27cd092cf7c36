"""The users that README.md tells an administrator to make, one with each role."""

import re

import psycopg
from psycopg.conninfo import conninfo_to_dict

from flows.settings import PROJECT


def logins(url: str) -> dict[str, str]:
    """Role -> user; makes those that the server lacks, by README.md's own lines."""
    lines = re.findall(
        r"(?m)^(create user (\w+) .*in role (\w+);)$", (PROJECT / "README.md").read_text()
    )
    for line, user, _ in lines:
        _make(url, user, line)
    return {role: user for _, user, role in lines}


def make_pipeline_user(url: str) -> str:
    """The user of a whole pipeline, in the two roles that README.md names for it."""
    (roles,) = re.findall(r"\(`(in role \w+, \w+)`\)", (PROJECT / "README.md").read_text())
    _make(url, "dwh_pipeline", f"create user dwh_pipeline {roles}")
    return "dwh_pipeline"


def _make(url: str, user: str, statement: str) -> None:
    with psycopg.connect(url, autocommit=True) as connection:
        known = connection.execute("select from pg_roles where rolname = %s", [user])
        if known.fetchone() is None:
            connection.execute(statement)


def as_user(url: str, user: str) -> str:
    """The same database for another user; the sandbox's server trusts everybody."""
    parts = conninfo_to_dict(url)
    return f"postgresql://{user}@{parts['host']}:{parts['port']}/{parts['dbname']}"
