"""The words and limits that the plan of a sweep and the command line share. Nothing is loaded for them."""

from typing import Literal

Design = Literal["grid", "random", "sobol"]
"""How configurations are chosen before any is trained."""
Sampler = Literal["tpe", "random", "halving"]
"""How a search proposes them: tpe: the tree-structured Parzen estimator; halving: at random, and most stop early."""
Prune = Literal["none", "median", "halving"]
"""Which runs of a search are stopped early."""
Objective = Literal["accuracy", "parameters"]
"""What a search improves: accuracy, up; the number of parameters, down."""
ChooseOn = Literal["validation", "test"]
"""The images that configurations are compared on."""
MAX_POINTS = 10_000
"""Configurations of a sweep."""
