"""The fuzz tests of test_fuzz.py, driven by coverage: an hour finds what chance does not.

    pip install atheris
    python tests/fuzz_by_coverage.py archive|hours|rows|lines --seconds 900

Ends with a traceback and the bytes that broke something, or in silence when the time is over.
"""

import argparse
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

import atheris

with atheris.instrument_imports(include=["flows"]):
    import fuzz

    from flows.sandbox.s3 import S3Server

#: What libFuzzer calls a hang, and too much memory: the interpreter with its modules needs 200 MB.
LONGEST_S, MOST_MB = 60, 600


def main() -> None:
    """Fuzz one reader from its good inputs on."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("reader", choices=("archive", "hours", "rows", "lines"))
    parser.add_argument("--seconds", type=int, default=900)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        corpus = folder / "corpus"
        corpus.mkdir()
        seeds, deed = SEEDS[arguments.reader], DEEDS[arguments.reader](folder)
        for number, seed in enumerate(seeds):
            (corpus / str(number)).write_bytes(seed)
        atheris.Setup(
            [
                sys.argv[0],
                f"-max_total_time={arguments.seconds}",
                f"-timeout={LONGEST_S}",
                f"-rss_limit_mb={MOST_MB}",
                "-max_len=16384",
                "-print_final_stats=1",
                str(corpus),
            ],
            deed,
        )
        atheris.Fuzz()


def archive(folder: Path) -> Callable[[bytes], None]:
    """Zip or gzip, by its first bytes, read from a real S3."""
    server = S3Server(folder / "s3")
    server.start()
    bucket = server.create_bucket("fuzz")
    return lambda data: fuzz.demand_whole_archive(
        bucket, fuzz.ZIP_KEY if data.startswith(b"PK") else fuzz.GZIP_KEY, data
    )


DEEDS: dict[str, Callable[[Path], Callable[[bytes], None]]] = {
    "archive": archive,
    "hours": lambda folder: lambda data: fuzz.demand_whole_hours(folder / "answer.zip", data),
    "rows": lambda folder: lambda data: fuzz.demand_whole_rows(folder / "answer.json", data),
    "lines": lambda _: (
        lambda data: fuzz.demand_numbered_refusal(*fuzz.KEYS[len(data) % len(fuzz.KEYS)], data)
    ),
}
SEEDS = {
    "archive": (*fuzz.ZIPS, *fuzz.GZIPS),
    "hours": fuzz.ANSWERS,
    "rows": fuzz.ROWS,
    "lines": fuzz.CONTENTS,
}


if __name__ == "__main__":
    main()
