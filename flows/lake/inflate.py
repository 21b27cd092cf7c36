"""Inflating a stream of bytes of unknown honesty, a block at a time."""

from collections.abc import Iterable, Iterator

from isal import igzip_lib

# Inflated bytes given out at once: enough that a thread which does this spends its time outside of
# Python's lock.
BLOCK_BYTES = 1024 * 1024

DEFLATE: int = igzip_lib.DECOMP_DEFLATE
GZIP: int = igzip_lib.DECOMP_GZIP  # its header is read, its CRC and length are checked


def inflated(parts: Iterable[bytes], container: int) -> Iterator[bytes]:
    """The bytes of one deflated stream, at most BLOCK_BYTES each.

    container: DEFLATE or GZIP. Raises ValueError, at the latest behind the last block, when the
    parts do not inflate, end too early, or go on behind the stream's end.
    """
    inflater = igzip_lib.IgzipDecompressor(container)
    for part in parts:
        if inflater.eof:
            raise ValueError("bytes stand behind the stream's end")
        fed = part
        while not inflater.eof and (fed or not inflater.needs_input):
            try:
                block = inflater.decompress(fed, BLOCK_BYTES)
            except igzip_lib.IsalError as error:  # type: ignore[misc]  # isal bears no types
                raise ValueError("the stream does not inflate") from error
            fed = b""
            if block:
                yield block
    if not inflater.eof:
        raise ValueError("the stream is cut")
    if inflater.unused_data:
        raise ValueError("bytes stand behind the stream's end")
