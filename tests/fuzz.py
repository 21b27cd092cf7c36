"""Spoilt input: bytes that were right once, and soups of what JSON is made of."""

import signal
import tracemalloc
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st

#: No example here is larger than some KB; whoever needs longer than this hangs.
LONGEST_S = 60
#: What a reader may hold at once: a few blocks of a megabyte and a zip's directory.
MOST_BYTES = 24 * 1024 * 1024

NUMBERS = [0, 1, 2**15, 2**16 - 1, 2**31 - 1, 2**31, 2**32 - 1, 2**63, 2**64 - 1]
TOKENS = [
    *(b"{", b"}", b"[", b"]", b":", b",", b'"', b"\\", b" ", b"\t", b"\r"),
    *(b"\x00", b"\x01", b"\x02", b"null", b"true", b"NaN", b"Infinity"),
    *(b"-", b"0", b"1", b"1e999", b"1" * 5000, b"0.1"),
    *(b'"event_id"', b'"uuid"', b'"event_time"', b'"user_properties"', b'"data"', b'""', b'"a"'),
    *(b"\\u0000", b"\\ud800", b"\\u0001", b"\\n", b"\xff", b"\xc3", b"\xef\xbb\xbf", "я".encode()),
    *(b"[" * 3000, b'{"a":' * 3000, b"\n", b"\n\n", b'"2025-13-45 99:99:99"'),
]  # fmt: skip
SOUP = st.lists(st.sampled_from(TOKENS), max_size=30).map(b"".join)


def spoilt(*good: bytes) -> st.SearchStrategy[bytes]:
    """One of these texts with some of its bytes changed, lost, doubled, or put elsewhere."""

    @st.composite
    def spoil(draw: st.DrawFn) -> bytes:
        data = draw(st.sampled_from(good))
        for _ in range(draw(st.integers(0, 4))):
            at = draw(st.integers(0, len(data)))
            end = min(len(data), at + draw(st.integers(1, 64)))
            number = draw(st.sampled_from(NUMBERS))
            width = draw(st.sampled_from([1, 2, 4, 8]))
            data = draw(
                st.sampled_from(
                    [
                        data[:at],
                        data[at:],
                        data[:at] + data[end:],
                        data[:end] + data[at:],
                        data[:at] + bytes([data[at] ^ 1 << number % 8] if at < len(data) else [])
                        + data[at + 1 :],
                        data[:at] + (number % 256**width).to_bytes(width, "little")
                        + data[at + width :],
                        data[:at] + draw(SOUP) + data[at:],
                        data[:at] + draw(st.sampled_from(good)) + data[at:],
                        data[end:] + data[:end],
                    ]
                )
            )  # fmt: skip
        return data

    return spoil()


def fuzzed(examples: int) -> settings:
    """So many examples, of which none is too slow for hypothesis: `watched` sees to that."""
    return settings(
        max_examples=examples, deadline=None, suppress_health_check=list(HealthCheck)
    )  # fmt: skip


@contextmanager
def watched(most_bytes: int | None = MOST_BYTES) -> Iterator[None]:
    """The block neither hangs nor takes more memory than this; None: only does not hang."""

    def hang(_: int, frame: FrameType | None) -> None:
        raise AssertionError(f"no end after {LONGEST_S} s: {frame}")

    before = signal.signal(signal.SIGALRM, hang)
    signal.setitimer(signal.ITIMER_REAL, LONGEST_S)
    if most_bytes is not None:
        tracemalloc.start()
    try:
        yield
        if most_bytes is not None:
            assert tracemalloc.get_traced_memory()[1] <= most_bytes
    finally:
        tracemalloc.stop()
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
