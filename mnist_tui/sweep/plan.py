"""The plan of a sweep: the run that everything starts from, what is varied, how points are chosen and judged. No torch.

A *configuration* is one value for each setting that is varied; a *point* is a configuration with a seed, one run.
"""

import json
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from itertools import islice
from typing import Annotated, Any, Self

from pydantic import Field, ValidationError, model_validator

from mnist_tui.analysis.comparison import Measure
from mnist_tui.errors import SpecError, SweepError, UnusedKnobError
from mnist_tui.spec.recipe import Frozen, Knob
from mnist_tui.spec.run_options import Dataset
from mnist_tui.spec.run_spec import RunSpec
from mnist_tui.spec.validation_errors import first_error
from mnist_tui.sweep.constraints import Constraint, broken, parse_constraint
from mnist_tui.sweep.designs import configurations
from mnist_tui.sweep.domains import Choices, Domain, parse_domain
from mnist_tui.sweep.search_options import Search
from mnist_tui.sweep.space import every, size
from mnist_tui.sweep.vocabulary import MAX_POINTS, ChooseOn, Design
from mnist_tui.text import clean_line, did_you_mean

VALIDATION_SHARE = 6
"""One in so many training images is split off where the recipe has no split: of MNIST as many as the test set has."""
LEASE_SECONDS = 60.0
"""A process that has not renewed its claim on a point for so long counts as dead."""

PRESET = "preset"
"""The setting whose values are whole presets."""

Values = Mapping[str, str]
"""A configuration: texts by the path of their setting."""


class Network(Frozen):
    """Layers that are tried against others, with the knobs that they use."""

    layers: str
    knobs: dict[str, Knob] = Field(default={})


@dataclass(frozen=True)
class Point:
    """One run of a sweep."""

    number: int
    """Of its configuration, from 0."""
    seed: int
    values: Values

    @property
    def key(self) -> str:
        """Its name in files: `00012-s3`."""
        return f"{self.number:05d}-s{self.seed}"


class SweepPlan(Frozen):
    """What a sweep tries, and how its points are judged."""

    base: RunSpec
    vary: dict[str, tuple[str, ...] | str]
    """By the path of the setting: its values, or a range to draw from."""
    presets: dict[str, RunSpec] = Field(default={})
    """The runs that the values of `preset` name, where whole presets are tried against each other."""
    networks: dict[str, Network] = Field(default={})
    """The networks that the values of `layers` name."""
    template: str = ""
    """The layers where some of their lines name a block."""
    blocks: dict[str, dict[str, str]] = Field(default={})
    """By the name of a block the lines that it may stand for, by their name."""
    knobs: dict[str, Knob] = Field(default={})
    """The knobs of all blocks."""
    design: Design = "grid"
    points: Annotated[int, Field(ge=1, le=MAX_POINTS)] | None = None
    """How many configurations are drawn; a grid tries all."""
    search: Search | None = None
    """How points are searched for; it stands in place of `design` and `points`."""
    where: tuple[str, ...] = ()
    """Constraints: configurations that break one are not trained."""
    seeds: Annotated[int, Field(ge=1, le=1_000)] = 1
    """Runs of each configuration, with seeds in a row from that of `base`."""
    choose_on: ChooseOn = "validation"
    by: Measure = "best"
    """Which accuracy of a run counts: that of its best epoch, of its last, or the mean of the last."""
    dataset: Dataset = "auto"
    lease: Annotated[float, Field(gt=0, le=86_400)] = LEASE_SECONDS

    @model_validator(mode="after")
    def _check(self) -> Self:
        if not self.vary:
            raise SweepError("nothing is varied; name values, such as --set dropout=0.05,0.1")
        self._check_names()
        if self.search and self.search.prune != "none" and self.seeds > 1:
            raise SweepError("prune: one run is judged for each configuration; leave seeds out, or do not prune")
        all_split = all(spec.train.validation_images for spec in (self.base, *self.presets.values()))
        if self.choose_on == "validation" and not all_split:
            raise SweepError("choose_on: the recipe splits no validation images off; set validation_images")
        if len({spec.data for spec in self.specs}) > 1:
            raise SweepError("preset: these are on several data sets, so their accuracies do not compare")
        return self

    def _check_names(self) -> None:
        """Raises `SweepError` for a value that names none of the presets, of the networks, or of a block's lines."""
        names: dict[str, Collection[str]] = {PRESET: self.presets, "layers": self.networks, **self.blocks}
        for path, known in names.items():
            values = self.vary.get(path, ())
            for name in [values] if isinstance(values, str) else values:
                if name not in known:
                    near = did_you_mean(name, known) or (f"; there are {', '.join(known)}" if known else "")
                    raise SweepError(f"{path}: there is no {clean_line(name, 60)!r}{near}")
        if self.presets and not self.vary.get(PRESET):
            raise SweepError("preset: none of the presets is tried")

    @property
    def validation_images(self) -> int:
        """How many images of its data set are for validation, also of the small digits that stand in for MNIST."""
        spec = self.specs[0]
        return spec.validation_images_of(spec.data.dataset_for(self.dataset).train_images)

    @property
    def specs(self) -> tuple[RunSpec, ...]:
        """The runs that points are changes of, on the data set of the sweep."""
        return tuple(spec.for_dataset(self.dataset) for spec in self.presets.values() or (self.base,))

    # --- what is varied ---

    @cached_property
    def domains(self) -> dict[str, Domain]:
        """By the path of the setting what it may be."""
        return {
            path: parse_domain(path, values) if isinstance(values, str) else Choices(values)
            for path, values in self.vary.items()
        }

    @cached_property
    def constraints(self) -> tuple[Constraint, ...]:
        """What every network must keep."""
        return tuple(map(parse_constraint, self.where))

    @cached_property
    def configurations(self) -> list[Values]:
        """Every configuration of a design that keeps the constraints, in the order of their numbers.

        Raises `SweepError` where there is none.
        """
        drawn = configurations(self.design, self.domains, self.points, MAX_POINTS)
        kept = [values for values in drawn if self.is_allowed(values)] if self.constraints else drawn
        if not kept:
            raise SweepError(f"none of {len(drawn):,} configurations keeps {' and '.join(self.where)}")
        return kept

    def check_configurations(self) -> None:
        """Raises `SweepError` for the first configuration of a design whose values do not fit together.

        Apart from `configurations`, since it takes seconds for thousands of them, and a plan on disk was checked.
        """
        for values in self.configurations:
            self.is_allowed(values)

    def is_allowed(self, values: Values) -> bool:
        """Whether a configuration keeps the constraints; raises `SweepError` where its values do not fit together."""
        try:
            return broken(self.spec_of(Point(0, self.base.train.seed, values)), self.constraints) is None
        except SpecError as error:
            is_about_value = not error.place.startswith("--set")
            raise SweepError(f"{in_words(values)}: {error}" if is_about_value else str(error)) from None

    @property
    def runs(self) -> int:
        """How many runs there are in all."""
        return self.seeds * (self.trials if self.search else len(self.configurations))

    # --- of a search ---

    @cached_property
    def trials(self) -> int:
        """How many configurations a search tries: fewer than it was asked for, where there are no more."""
        asked = self.search.trials if self.search else 0
        return sum(1 for _ in islice(filter(self.is_candidate, every(self.domains)), asked)) if self.is_small else asked

    @property
    def is_small(self) -> bool:
        """Whether all configurations of a search can be looked at."""
        return size(self.domains) <= MAX_POINTS

    def is_candidate(self, values: Values) -> bool:
        """Whether a search may propose a configuration; not all values of ranges need fit together."""
        try:
            return self.is_allowed(values)
        except SweepError:
            return False

    # --- points ---

    def all_points(self) -> Iterator[Point]:
        """Every point: first each configuration with the first seed, so that an early look sees all of them."""
        for seed in self.seed_range:
            for number, values in enumerate(self.configurations):
                yield Point(number, seed, values)

    @property
    def seed_range(self) -> range:
        """The seeds of each configuration."""
        first = self.base.train.seed
        return range(first, first + self.seeds)

    # --- the runs ---

    def spec_of(self, point: Point) -> RunSpec:
        """The spec of a point; raises `SpecError` where its values do not fit together."""
        values = dict(point.values)
        start = (self.presets[values.pop(PRESET)] if self.presets else self.base).for_dataset(self.dataset)
        settings = {"seed": str(point.seed)}
        knobs = dict(start.knobs)
        if (name := values.pop("layers", None)) is not None:
            network = self.networks[name]
            settings["layers"], knobs = network.layers, dict(network.knobs)
        elif self.blocks:
            chosen = {block: lines[values.pop(block, next(iter(lines)))] for block, lines in self.blocks.items()}
            settings["layers"], knobs = fill(self.template, chosen), dict(self.knobs)
        return self._make_spec(start, settings | values, knobs)

    def _make_spec(self, start: RunSpec, settings: Mapping[str, str], knobs: dict[str, Knob]) -> RunSpec:
        """Leaves knobs out that other choices of the layers use and this one does not, unless they are varied."""
        while True:
            try:
                return start.with_settings(settings, knobs)
            except UnusedKnobError as error:
                name = error.where[1]
                if not (self.networks or self.blocks) or {name, f"knobs.{name}"} & settings.keys():
                    raise
                del knobs[name]

    # --- which sweep it is ---

    @cached_property
    def question(self) -> str:
        """A text that is equal for plans that ask the same, with more or fewer seeds and points."""
        grows: dict[str, Any] = {"seeds": True, "points": True, "lease": True, "search": {"trials"}}
        return json.dumps(self.model_dump(mode="json", exclude=grows), sort_keys=True)

    def grown(self, other: "SweepPlan") -> "SweepPlan":
        """The plan with the seeds and points of another that asks the same, where those are more."""
        points = None if self.points is None else max(self.points, other.points or 1)
        search = self.search
        if search and other.search:
            search = search.model_copy(update={"trials": max(search.trials, other.search.trials)})
        return self.model_copy(update={"seeds": max(self.seeds, other.seeds), "points": points, "search": search})


def make_plan(document: Mapping[str, Any]) -> SweepPlan:
    """The plan of a document; raises `SweepError` for its first mistake."""
    try:
        return SweepPlan.model_validate(document)
    except ValidationError as error:
        raise SweepError(str(first_error(error, SweepPlan))) from None


def fill(template: str, chosen: Mapping[str, str]) -> str:
    """Layers in which each line that is only the name of a block is replaced by the block's lines."""
    lines = (chosen.get(line.partition("#")[0].strip(), line) for line in template.splitlines())
    return "\n".join(line.strip("\n") for line in lines) + "\n"


def in_words(values: Values) -> str:
    """`dropout 0.1, optimizer.lr 0.01`."""
    return ", ".join(f"{path} {text}" for path, text in values.items())
