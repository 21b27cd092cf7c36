"""Rows of any number in the order of their bytes: sorted runs on disk, merged when they are read.

Memory: one run while rows come in, and a small buffer per run while they are read.
"""

import heapq
from collections.abc import Iterable, Iterator
from contextlib import ExitStack
from itertools import count, islice
from pathlib import Path

#: Bytes of rows that are sorted in memory at once; with Python's share about twice of it is held. A
#: day of 10 GB makes 320 runs, fewer than the files that a process may open.
RUN_BYTES = 32 * 1024 * 1024

#: Most rows of a piece that is given out.
_PIECE_ROWS = 1024


class RowSorter:
    """Takes rows part by part; a part that comes again replaces its first coming.

    directory: of its own, for the runs. Rows bear no line end.
    """

    def __init__(self, directory: Path, run_bytes: int = RUN_BYTES) -> None:
        self._directory = directory
        self._run_bytes = run_bytes
        self._names = count()
        self._runs: dict[int, list[Path]] = {}
        self._rows: dict[int, int] = {}

    @property
    def rows(self) -> int:
        """How many were put in."""
        return sum(self._rows.values())

    def put(self, part: int, rows: Iterable[bytes]) -> int:
        """Take a part in, and return its number of rows; what the iterator raises leaves no row."""
        self.forget(part)
        runs: list[Path] = []
        taken = 0
        whole = False
        try:
            for run in _in_runs(rows, self._run_bytes):
                taken += len(run)
                runs.append(self._write(run))
            whole = True
        finally:
            if not whole:
                _unlink(runs)
        self._runs[part], self._rows[part] = runs, taken
        return taken

    def forget(self, *parts: int) -> None:
        """Drop parts; without a number, all of them."""
        for part in parts or tuple(self._runs):
            _unlink(self._runs.pop(part, []))
            self._rows.pop(part, None)

    def pieces(self) -> Iterator[bytes]:
        """All rows in order, each with a newline, several to a piece."""
        with ExitStack() as stack:
            files = [
                stack.enter_context(path.open("rb"))
                for runs in self._runs.values()
                for path in runs
            ]
            rows = heapq.merge(*files)
            while piece := b"".join(islice(rows, _PIECE_ROWS)):
                yield piece

    def _write(self, run: list[bytes]) -> Path:
        run.sort()
        path = self._directory / f"{next(self._names)}.run"
        with path.open("wb") as file:
            file.writelines(run)
        return path


def _in_runs(rows: Iterable[bytes], run_bytes: int) -> Iterator[list[bytes]]:
    run: list[bytes] = []
    size = 0
    for row in rows:
        run.append(row + b"\n")
        size += len(row) + 1
        if size >= run_bytes:
            yield run
            run, size = [], 0
    if run:
        yield run


def _unlink(runs: list[Path]) -> None:
    for path in runs:
        path.unlink()
