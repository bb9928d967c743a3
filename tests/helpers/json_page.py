"""The tables of docs/json.md, and a checker that holds JSON documents against them."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

PAGE = (Path(__file__).parents[2] / "docs" / "json.md").read_text(encoding="utf-8")


@dataclass(frozen=True)
class Key:
    """A row of a table: what a key of a record holds."""

    record: str
    """The heading of the table."""
    name: str
    type: str
    missing: str
    """When it is null or absent; "" for never."""


Tables = dict[str, list[Key]]
"""The keys of each record, by its heading."""


def table_rows(text: str) -> list[list[str]]:
    """The cells of the first table in a text, without its heading."""
    (table, *_) = re.findall(r"(?:^\|.*\n)+", text, re.MULTILINE) or [""]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in table.splitlines()[2:]]


def read_tables(page: str) -> Tables:
    """The tables of a page; a record that has all keys of others has theirs first."""
    sections = dict(re.findall(r"^### (.+?)\n(.*?)(?=^##|\Z)", page, re.MULTILINE | re.DOTALL))
    tables: Tables = {}

    def keys_of(record: str) -> list[Key]:
        if record not in tables:
            (others, *_) = re.findall(r"^All keys of .*", sections[record], re.MULTILINE) or [""]
            shared = [key for other in re.findall(r"\[(.+?)\]\(#", others) for key in keys_of(other)]
            own = [Key(record, row[0].strip("`"), row[1], row[3]) for row in table_rows(sections[record])]
            names = [key.name for key in own]
            tables[record] = [key for key in shared if key.name not in names] + own
        return tables[record]

    for record in sections:
        keys_of(record)
    return tables


@dataclass
class Checker:
    """Holds documents against the tables, and notes which keys it has seen."""

    tables: Tables
    printed: set[Key] = field(default_factory=set)
    null: set[Key] = field(default_factory=set)
    absent: set[Key] = field(default_factory=set)

    def mistakes(self, value: Any, described: str, where: str = "") -> list[str]:
        """What differs between a JSON value and its type on the page, a sentence each."""
        alternatives = [list(self._mistakes(value, one, where)) for one in described.split(" or ")]
        return min(alternatives, key=len)

    def _mistakes(self, value: Any, described: str, where: str) -> Iterator[str]:
        link = re.fullmatch(r"\[(.+)\]\(#(.+)\)", described)
        container, _, item = described.partition(" of ")
        if link and isinstance(value, dict):
            record = value["event"] if link[1] == "Event" else link[1]
            assert link[1] == "Event" or link[2] == link[1].lower().replace(" ", "-")
            yield from self._record(value, record, where)
        elif not link and item and isinstance(value, list if container == "array" else dict):
            for key, each in enumerate(value) if isinstance(value, list) else value.items():
                yield from self.mistakes(each, item, f"{where}[{key}]")
        elif link or item or not _is_a(value, described):
            yield f"{where}: {value!r} is no {described}"

    def _record(self, values: dict[str, Any], record: str, where: str) -> Iterator[str]:
        keys = self.tables[record]
        yield from (f"{where}.{name}: is not documented" for name in values if name not in [key.name for key in keys])
        for key in keys:
            place = f"{where}.{key.name}"
            if key.name not in values:
                self.absent.add(key)
                yield from [] if "absent" in key.missing else [f"{place}: is not printed"]
            else:
                self.printed.add(key)
                yield from self._value(values[key.name], key, place)

    def _value(self, value: Any, key: Key, place: str) -> Iterator[str]:
        if "null as an item" in key.missing and None in value:
            self.null.add(key)
            value = [item for item in value if item is not None]
        if value is not None:
            yield from self.mistakes(value, key.type, place)
            return
        self.null.add(key)
        yield from [] if "null" in key.missing else [f"{place}: is null"]


_TYPES: dict[str, tuple[type, ...]] = {
    "string": (str,),
    "integer": (int,),
    "number": (int, float),
    "boolean": (bool,),
    "object": (dict,),
}


def _is_a(value: Any, described: str) -> bool:
    """Whether a value is of a type without parts; true and false are no numbers."""
    return isinstance(value, _TYPES[described]) and isinstance(value, bool) == (described == "boolean")
