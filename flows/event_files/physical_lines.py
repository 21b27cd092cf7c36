"""The lines of a CSV as they stand in the file, for errors that name them.

A record may have several: its cells hold line breaks.
"""

from collections.abc import Iterator

from flows.errors import Interrupted
from flows.event_files.byte_lines import text_blocks, too_long


class PhysicalLines:
    """The lines of a file as text, counted; position: 0-based number of the next one."""

    def __init__(self, name: str, blocks: Iterator[bytes], line_max_bytes: int) -> None:
        self._name, self._most = name, line_max_bytes
        self._lines = self._read(blocks)
        self._record: list[str] = []
        self._record_size = 0
        self._start = 0
        self.position = 0

    def begin_record(self) -> int:
        """Forget the last record; returns the number of the line that the next one begins on."""
        self._record.clear()
        self._record_size = 0
        self._start = self.position
        return self._start

    @property
    def record(self) -> str:
        """The lines since the record began, as sent."""
        return "\n".join(self._record)

    def __iter__(self) -> Iterator[str]:
        return self._lines

    def _read(self, blocks: Iterator[bytes]) -> Iterator[str]:
        for block in text_blocks(self._name, blocks, self._most):
            # Bytes that are no UTF-8 pass as half surrogates, and are found in their cell.
            texts = [] if block is None else block.decode(errors="surrogateescape").split("\n")[:-1]
            for text in texts:
                self.position += 1
                self._record.append(text)
                self._record_size += len(text)
                if self._record_size > self._most:
                    raise self._too_long()
                yield text + "\n"
            if block is None:
                raise self._too_long()

    def _too_long(self) -> Interrupted:
        hint = "; is a quote left open?"
        return too_long(self._name, self._start, self._most, hint)
