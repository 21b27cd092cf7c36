"""Brings the ledger of windows up to what the archive in S3 holds, whoever wrote it and when.

Only archives whose etag the ledger does not know are looked into; of AppMetrica's tables the small
index is read each time, for it tells more than the archive.
"""

import logging
from collections.abc import Iterator

import psycopg

from flows.errors import Interrupted
from flows.lake.archived_windows import ArchivedWindow, read_day, read_week
from flows.lake.bucket import Bucket
from flows.lake.day_index import DayIndex, read_index
from flows.lake.keys import parse_day_key
from flows.lake.listing import list_objects
from flows.lake.objects import ObjectVersion, look
from flows.warehouse import window_ledger
from flows.warehouse.landing import Landing, landing_of

_log = logging.getLogger(__name__)


def sync_windows(connection: psycopg.Connection, bucket: Bucket, source: str) -> None:
    """Make raw.windows say what the archives of a source hold.

    An archive that cannot be read is told in the log, and the ledger is left without it. Raises
    BadRequest for an unknown source, ArchiveFailed where S3 does not answer, psycopg.Error.
    """
    landing = landing_of(source)
    objects = _archives(connection, bucket, landing)
    known = window_ledger.known_archives(connection, source)
    windows: list[ArchivedWindow] = []
    looked_into = [key for key in known if key not in objects]
    indexes: dict[str, DayIndex] = {}
    for key, version in objects.items():
        index = _index_of(bucket, key, indexes)
        if known.get(key) == version.etag and not _is_indexed(key, index):
            continue
        looked_into.append(key)
        try:
            windows += _windows(bucket, landing, key, version, index)
        except Interrupted as error:
            _log.warning("%s cannot be read; its days are not known: %s", key, error)
    window_ledger.mirror(connection, looked_into, windows)


def _archives(
    connection: psycopg.Connection, bucket: Bucket, landing: Landing
) -> dict[str, ObjectVersion]:
    """What load_raw takes by itself, and what it was told to take from elsewhere."""
    listed = list_objects(bucket, landing.prefix)
    objects = {key: version for key, version in listed.items() if landing.takes(key)}
    for key in window_ledger.loaded_archives(connection, landing.source) - objects.keys():
        version = look(bucket, key)
        if version is not None:
            objects[key] = version
    return objects


def _index_of(bucket: Bucket, key: str, indexes: dict[str, DayIndex]) -> DayIndex | None:
    """The index that lies beside a day archive, read once a table; None for weekly archives."""
    if parse_day_key(key) is None:
        return None
    folder = key.rpartition("/")[0]
    if folder not in indexes:
        indexes[folder] = read_index(bucket, f"{folder}/index.json")
    return indexes[folder]


def _is_indexed(key: str, index: DayIndex | None) -> bool:
    day = parse_day_key(key)
    return index is not None and day is not None and day.moment in index.days


def _windows(
    bucket: Bucket, landing: Landing, key: str, version: ObjectVersion, index: DayIndex | None
) -> Iterator[ArchivedWindow]:
    if index is not None:
        yield read_day(bucket, index, key, version)
        return
    # amplitude_web's project is called web
    project = landing.source.partition("_")[2]
    yield from read_week(bucket, landing.source, project, key, version)
