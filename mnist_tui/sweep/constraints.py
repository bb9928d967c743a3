"""Constraints on the networks of a sweep, known before anything is trained: `parameters<8000`, `multiply_adds<=2e6`."""

import operator
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from mnist_tui.errors import SweepError
from mnist_tui.spec.run_spec import RunSpec
from mnist_tui.text import clean_line, did_you_mean

QUANTITIES: Mapping[str, Callable[[RunSpec], float]] = {
    "parameters": lambda spec: spec.parameters,
    "multiply_adds": lambda spec: sum(row.multiply_adds for row in spec.rows),
    "layers": lambda spec: len(spec.rows),
    "epochs": lambda spec: spec.train.epochs,
}
"""What can be constrained, and returned for a spec."""
OTHER_NAMES = {"params": "parameters", "macs": "multiply_adds"}

_SIGNS: Mapping[str, Callable[[float, float], bool]] = {
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}
_CONSTRAINT = re.compile(r"\s*([a-z_]+)\s*(<=|>=|<|>)\s*([0-9][0-9_,]*(?:\.[0-9]+)?(?:e[0-9]+)?)\s*", re.IGNORECASE)


@dataclass(frozen=True)
class Constraint:
    """An upper or a lower bound."""

    text: str
    quantity: str
    sign: str
    bound: float

    def holds(self, spec: RunSpec) -> bool:
        """Whether a spec keeps it."""
        return _SIGNS[self.sign](QUANTITIES[self.quantity](spec), self.bound)


def parse_constraint(text: str) -> Constraint:
    """The constraint that a text is; raises `SweepError`."""
    match = _CONSTRAINT.fullmatch(text)
    if match is None:
        raise SweepError(f"--where {clean_line(text, 40)}: write a bound such as parameters<8000")
    name, sign, number = match[1].lower(), match[2], match[3].replace("_", "").replace(",", "")
    quantity = OTHER_NAMES.get(name, name)
    if quantity not in QUANTITIES:
        near = did_you_mean(name, QUANTITIES) or f"; known are {', '.join(QUANTITIES)}"
        raise SweepError(f"--where {clean_line(text, 40)}: there is no {clean_line(name, 30)!r} to bound{near}")
    return Constraint(text.strip(), quantity, sign, float(number))


def broken(spec: RunSpec, constraints: Sequence[Constraint]) -> Constraint | None:
    """The first constraint that a spec breaks; None where it keeps all."""
    return next((each for each in constraints if not each.holds(spec)), None)
