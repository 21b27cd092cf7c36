"""What every benchmark prints as a table for people, and keeps under `results/`."""

import json
from pathlib import Path
from typing import Any

RESULTS = Path(__file__).parent / "results"
#: Memory counts as constant when four times the input needs no more than this much more.
AIM_GROWTH = 1.1

Figure = dict[str, Any]


def figure(
    name: str,
    value: float,
    unit: str,
    *,
    ratio: float | None = None,
    aim: float | str | None = None,
    holds: bool | None = None,
) -> Figure:
    """One line of the results; holds is None where there is no aim."""
    return {
        "name": name,
        "value": round(value, 2),
        "unit": unit,
        "ratio": None if ratio is None else round(ratio, 3),
        "aim": aim,
        "holds": holds,
    }


def memory_figures(what: str, peaks_mb: dict[int, float]) -> list[Figure]:
    """The peaks for 1x and 4x input, and whether memory is constant."""
    growth = peaks_mb[4] / peaks_mb[1]
    return [
        figure(f"{what}, 1x input", peaks_mb[1], "MB peak"),
        figure(
            f"{what}, 4x input",
            peaks_mb[4],
            "MB peak",
            ratio=growth,
            aim=f"ratio <= {AIM_GROWTH} to 1x",
            holds=growth <= AIM_GROWTH,
        ),
    ]


def report(benchmark: str, figures: list[Figure]) -> None:
    """Print the table, and write it to `results/{benchmark}.json`."""
    width = max(len(line["name"]) for line in figures)
    for line in figures:
        ratio = "" if line["ratio"] is None else f"{line['ratio']:.2f}"
        aim = "" if line["aim"] is None else str(line["aim"])
        holds = {None: "", True: "holds", False: "MISSED"}[line["holds"]]
        text = f"{line['name']:<{width}} {line['value']:>12,.2f} {line['unit']:<7}"
        print(f"{text} {ratio:>6}  {aim:<26} {holds}".rstrip())
    RESULTS.mkdir(exist_ok=True)
    (RESULTS / f"{benchmark}.json").write_text(json.dumps(figures, indent=2) + "\n")
