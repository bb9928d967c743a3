"""Fields of the design that hold several values: what a sweep would vary. No widgets."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from math import prod

from mnist_tui.errors import SweepError
from mnist_tui.spec.draft import Draft
from mnist_tui.sweep.domains import Choices, parse_domain

MOST_CHECKED = 3
"""Values that are checked while somebody types; the dialog checks all."""
NOT_VARIED = ("augment", "scheduler.milestones", "seed")
"""Fields that hold a list, and the seed, which the sweep has a field for."""


@dataclass(frozen=True)
class Varied:
    """What a sweep would vary."""

    base: Draft
    """The design with the first value in each of those fields."""
    values: Mapping[str, tuple[str, ...]]
    """By the path of the field."""

    @property
    def is_complete(self) -> bool:
        """Whether some field holds several values, and nothing else is wrong with the design."""
        return bool(self.values) and self.base.result.spec is not None

    @property
    def configurations(self) -> int:
        """How many configurations a grid over all values has."""
        return prod(map(len, self.values.values()))

    def advice(self, path: str) -> str:
        """What the line of a field says."""
        return f"{len(self.values[path])} values: Enter makes a sweep"


def varied_fields(draft: Draft) -> Varied:
    """The fields whose text is wrong as one value, and right as several, each a value that the field may hold.

    So a text with commas that is one value, such as `(0.9, 0.999)` or a list of transforms, never counts.
    """
    several = {path: texts for path in draft.result.errors if (texts := _several(draft, path))}
    base = _with_first(draft, several)
    values = {path: texts for path, texts in several.items() if _are_right(base, path, texts)}
    return Varied(_with_first(draft, values), values)


def _several(draft: Draft, path: str) -> tuple[str, ...]:
    """The values that the text of a field stands for; () where it is not several, or the field holds a list."""
    text = draft.text_of(path)
    if path in NOT_VARIED or path.startswith("target.") or not ("," in text or ".." in text):
        return ()
    untyped = replace(draft, typed={key: typed for key, typed in draft.typed.items() if key != path})
    if untyped.text_of(path).startswith(("(", "[")):
        return ()
    try:
        domain = parse_domain(path, text)
    except SweepError:
        return ()
    return domain.texts if isinstance(domain, Choices) and len(domain.texts) > 1 else ()


def _with_first(draft: Draft, values: Mapping[str, tuple[str, ...]]) -> Draft:
    for path, texts in values.items():
        draft = draft.with_text(path, texts[0])
    return draft


def _are_right(base: Draft, path: str, values: tuple[str, ...]) -> bool:
    checked = {*values[:MOST_CHECKED], values[-1]}
    return all(path not in base.with_text(path, value).result.errors for value in checked)
