"""A folder for what an export holds on disk on its way to S3, gone at the end."""

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from errno import EDQUOT, ENOSPC
from pathlib import Path

from flows.errors import DiskFull


@contextmanager
def temporary_folder(prefix: str) -> Iterator[Path]:
    """A new folder in TMPDIR. Raises DiskFull where something within finds no space left."""
    try:
        with tempfile.TemporaryDirectory(prefix=prefix) as folder:
            yield Path(folder)
    except OSError as error:
        if error.errno not in (ENOSPC, EDQUOT):
            raise
        raise DiskFull(
            f"the temporary folder {tempfile.gettempdir()} is full: make room there or set TMPDIR"
            " to a folder with more, and run again; what is archived stands"
        ) from error
