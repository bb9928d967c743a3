"""The space that the values of several settings span: how large it is, every configuration of it, draws."""

import random
from collections.abc import Iterator, Mapping, Sequence
from itertools import product
from math import inf, prod

from mnist_tui.sweep.domains import Choices, Domain

Values = Mapping[str, str]


def size(domains: Mapping[str, Domain]) -> float:
    """The number of configurations; infinite where a setting is any number of a range."""
    return prod(_count(domain) for domain in domains.values())


def every(domains: Mapping[str, Domain]) -> Iterator[Values]:
    """Every configuration of a finite space, in order."""
    for texts in product(*(_texts(domain) for domain in domains.values())):
        yield dict(zip(domains, texts, strict=True))


def draw(domains: Mapping[str, Domain], chance: random.Random) -> Iterator[Values]:
    """Configurations at random, without end."""
    while True:
        yield {path: domain.at(chance.random()) for path, domain in domains.items()}


def _count(domain: Domain) -> float:
    if isinstance(domain, Choices):
        return len(domain.texts)
    return domain.high - domain.low + 1 if domain.is_whole else inf


def _texts(domain: Domain) -> Sequence[str]:
    if isinstance(domain, Choices):
        return domain.texts
    return [str(number) for number in range(round(domain.low), round(domain.high) + 1)]
