"""Files on their way to S3 lie in a folder that goes, whatever happens."""

from pathlib import Path

import pytest

from flows.errors import DiskFull
from flows.temporary_folder import temporary_folder


def test_a_full_disk_is_told_with_its_cure() -> None:
    """The system's own error, as a write gives it; the folder is gone afterwards."""
    with (
        pytest.raises(DiskFull, match="make room there or set TMPDIR"),
        temporary_folder("full-") as folder,
        Path("/dev/full").open("wb", buffering=0) as file,
    ):
        file.write(b"x")
    assert not folder.exists()


def test_other_errors_of_the_system_stay_what_they_are() -> None:
    """A missing file is no full disk."""
    with pytest.raises(FileNotFoundError), temporary_folder("other-") as folder:
        (folder / "missing").read_bytes()
    assert not folder.exists()
