"""A row against the contract of its table: everything that is wrong with it, or what is kept."""

import json
import re
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass

from flows.direct_rows.contracts import Contract
from flows.direct_rows.tokens import Value
from flows.direct_rows.values import Unfit, fitted

SOURCE = "direct"

# A name that may stand in a message, if another one is a column's: where names are missing, values
# stand in their place.
_PLAIN_NAME = re.compile(r"[^\W\d][\w .-]{0,62}")

_HIDDEN_NAME = "(a name that is not shown)"

#: What is wrong: the column, None where it is the row as a whole, and a phrase without a value.
Complaint = tuple[str | None, str]


@dataclass(frozen=True, slots=True)
class CheckedRow:
    """A row that its table takes.

    uuid, event_time: as JSON texts, None where the row has none. values: a JSON object of all other
    columns, in the order of the contract.
    """

    uuid: str | None
    event_time: str | None
    values: str


class RowChecker:
    """Checks rows of one table."""

    def __init__(self, contract: Contract) -> None:
        self._contract = contract

    def complaints_of_columns(self, names: Collection[str]) -> list[Complaint]:
        """What is wrong with columns that are named once for all rows."""
        found = list(self._strange(names))
        if not any(name in self._contract.columns for name in names):
            found = [(None, "the first line has to name the columns")]
        found += [(name, "is missing") for name in self._contract.required if name not in names]
        if len(set(names)) < len(names):
            found.append((None, "a column is named twice"))
        return list(dict.fromkeys(found))

    def check(self, row: Mapping[str, Value]) -> CheckedRow | list[Complaint]:
        """The row as it is kept, or all that is wrong with it. row: values by column."""
        contract = self._contract
        complaints = list(self._strange(row))
        values: dict[str, str] = {}
        for name, column in contract.columns.items():
            sent = row.get(name, "null")
            if sent == "null":
                continue
            try:
                if isinstance(sent, Unfit):
                    raise sent
                values[name] = fitted(column, sent)
            except Unfit as unfit:
                complaints.append((name, str(unfit)))
        if values.pop("source", f'"{SOURCE}"') != f'"{SOURCE}"':
            complaints.append(("source", f"can only be {SOURCE}"))
        wrong = {name for name, _ in complaints}
        for name in contract.required:
            if name not in wrong and _is_blank(values.get(name)):
                complaints.append((name, "is missing"))
        if contract.facts and not any(name in values or name in wrong for name in contract.facts):
            complaints.append((None, f"says none of {', '.join(contract.facts)}"))
        if complaints:
            return complaints
        uuid, event_time = values.pop("uuid", None), values.pop("event_time", None)
        members = ",".join(f"{json.dumps(name)}:{value}" for name, value in values.items())
        return CheckedRow(uuid, event_time, f"{{{members}}}")

    def _strange(self, names: Collection[str]) -> Iterator[Complaint]:
        contract = self._contract
        is_any_known = any(name in contract.columns for name in names)
        for name in names:
            if name in contract.worked_out:
                hint = "; give event_time" if name == "last_seen_at" else ""
                yield name, f"is worked out and cannot be given{hint}"
            elif name not in contract.columns:
                is_shown = is_any_known and _PLAIN_NAME.fullmatch(name)
                yield (
                    name if is_shown else _HIDDEN_NAME,
                    f"is unknown; columns are {', '.join(contract.columns)}",
                )


def _is_blank(value: str | None) -> bool:
    return value is None or (value[0] == '"' and not json.loads(value).strip())
