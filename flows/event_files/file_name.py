"""What the name of an event file tells: its format, how it is packed, its key in the archive."""

import re
from dataclasses import dataclass

CSV, NDJSON, PARQUET = "csv", "ndjson", "parquet"
GZIP, ZIP = "gz", "zip"

#: Everything under it is an event file, or what is known of one.
PREFIX = "import/"

_FORMATS = {"csv": CSV, "ndjson": NDJSON, "jsonl": NDJSON, "json": NDJSON, "parquet": PARQUET}
_NAME = re.compile(
    rf"(?P<stem>.*?)(?P<format>\.(?:{'|'.join(_FORMATS)}))?(?P<packing>\.(?:gz|zip))?",
    re.IGNORECASE,
)
_LONGEST_STEM = 100
#: Of the sha256 of the file: names are told apart by it, not proven.
_DIGITS = 16


@dataclass(frozen=True, slots=True)
class FileName:
    """A name such as "May 2025.csv.gz".

    stem: in front of the ends; ends: such as ".csv.gz"; format: None where only the member of a zip
    tells it; packing: None where it is not packed.
    """

    stem: str
    ends: str
    format: str | None
    packing: str | None

    def key(self, checksum: str) -> str:
        """Where a file of this name and content lies. checksum: hexadecimal, of its bytes."""
        stem = re.sub(r"[^\w.-]+", "_", self.stem)[:_LONGEST_STEM].strip("._-") or "events"
        return f"{PREFIX}{stem}-{checksum[:_DIGITS]}{self.ends}"


def parse_file_name(path: str) -> FileName | None:
    """What the last part of a path or key tells; None where it is no event file's."""
    name = path.replace("\\", "/").rpartition("/")[2]
    found = _NAME.fullmatch(name)
    if found is None or not found["stem"]:
        return None
    ends = ((found["format"] or "") + (found["packing"] or "")).lower()
    file_format = _FORMATS[found["format"][1:].lower()] if found["format"] else None
    packing = found["packing"][1:].lower() if found["packing"] else None
    if file_format is None and packing != ZIP:
        return None
    return FileName(found["stem"], ends, file_format, packing)
