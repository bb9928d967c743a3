"""What is said of a search: how it proposes configurations, how many, and which runs it stops early. No torch."""

from collections.abc import Mapping
from typing import Annotated, Any, Self

from pydantic import Field, model_validator

from mnist_tui.errors import SweepError
from mnist_tui.spec.recipe import Frozen
from mnist_tui.sweep.vocabulary import MAX_POINTS, Objective, Prune, Sampler


class Search(Frozen):
    """A search: each configuration is proposed from the results of those before."""

    sampler: Sampler
    """tpe: the tree-structured Parzen estimator; halving: random, and most of them are stopped early."""
    trials: Annotated[int, Field(ge=1, le=MAX_POINTS)]
    """How many configurations are tried in all."""
    prune: Prune = "none"
    """Whether runs that fall behind others at the same epoch are stopped early."""
    objectives: tuple[Objective, ...] = ("accuracy",)
    """Accuracy, up; and parameters, down."""

    @model_validator(mode="before")
    @classmethod
    def _imply_pruning(cls, data: Any) -> Any:
        """The sampler `halving` is random search with runs stopped early by successive halving."""
        if isinstance(data, Mapping) and data.get("sampler") == "halving" and data.get("prune") in (None, "none"):
            return {**data, "prune": "halving"}
        return data

    @model_validator(mode="after")
    def _check(self) -> Self:
        if self.objectives not in (("accuracy",), ("accuracy", "parameters")):
            raise SweepError("objective: must be accuracy or accuracy,parameters")
        if self.sampler == "halving" and self.prune != "halving":
            raise SweepError(f"prune: sampler halving prunes by halving, not {self.prune}; leave prune out")
        if self.prune != "none" and len(self.objectives) > 1:
            raise SweepError("prune: with two objectives no run is behind another, so none is stopped early")
        return self
