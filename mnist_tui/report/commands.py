"""The commands that train the runs of a step again."""

import shlex
from collections.abc import Mapping, Sequence
from contextlib import suppress
from functools import cache

from mnist_tui.datasets import names
from mnist_tui.errors import MnistTuiError
from mnist_tui.runs.record import Run
from mnist_tui.spec import presets
from mnist_tui.spec.recipe import TrainSpec
from mnist_tui.spec.run_spec import RunSpec
from mnist_tui.spec.typed_settings import as_options

NOT_COMPARED = ("seed", "eval_batch_size")
"""Fields of the recipe that need no `--set`: the seed has an option, the other changes no result."""


def commands_of(runs: Sequence[Run]) -> tuple[str, ...]:
    """A command for the seeds of a step that follow each other; () where no single one gives the run again.

    That is where the spec cannot be read, and for a run that extends another one.
    """
    spec, run = runs[0].spec, runs[0]
    if spec is None or run.seed is None or run.extends:
        return ()
    if run.is_rate_changed:
        return (f"mnist-tui repro {shlex.quote(run.id)}",)  # It repeats the changes.
    what = _preset_options(spec) or shlex.quote(run.id)
    seeds = sorted({each.seed for each in runs if each.seed is not None})
    return tuple(f"mnist-tui --batch {what} {part} {_machine(run)}".strip() for part in _seed_options(seeds))


def _preset_options(spec: RunSpec) -> str:
    """The preset of a spec and what is set on it; "" where settings alone do not give this network and recipe."""
    preset = _preset(spec.name)
    if preset is None or preset.layers != spec.layers or preset.knobs.keys() != spec.knobs.keys():
        return ""
    return f"{shlex.quote(spec.name)} {as_options(_changes(preset, spec))}".strip()


@cache
def _preset(name: str) -> RunSpec | None:
    if name not in presets.find():  # A name from a file is no path to read.
        return None
    with suppress(MnistTuiError):
        return presets.load(name)
    return None


def _changes(preset: RunSpec, spec: RunSpec) -> dict[str, str]:
    """The settings in which a spec differs from a preset, as `--set` takes them."""
    old, new = _recipe(preset), _recipe(spec)
    recipe = {name: _typed(value) for name, value in new.items() if value != old[name]}
    knobs = {name: str(value) for name, value in spec.knobs.items() if preset.knobs.get(name) != value}
    return recipe | knobs


def _recipe(spec: RunSpec) -> Mapping[str, object]:
    return {name: getattr(spec.train, name) for name in TrainSpec.model_fields if name not in NOT_COMPARED}


def _typed(value: object) -> str:
    return f"[{', '.join(map(str, value))}]" if isinstance(value, tuple) else str(value)


def _seed_options(seeds: Sequence[int]) -> list[str]:
    """`--seed 0 --seeds 3` for seeds that follow each other, `--seed 7` for a single one."""
    options = []
    start = 0
    for end in range(1, len(seeds) + 1):
        if end == len(seeds) or seeds[end] != seeds[end - 1] + 1:
            count = end - start
            options.append(f"--seed {seeds[start]}" + (f" --seeds {count}" if count > 1 else ""))
            start = end
    return options


def _machine(run: Run) -> str:
    """The options of data, device and threads that a result depends on."""
    device, threads = run.record.get("device"), run.record.get("threads")
    options = [
        f"--dataset {shlex.quote(run.dataset)}" if run.dataset and names.is_known(run.dataset) else "",
        f"--device {shlex.quote(device)}" if isinstance(device, str) else "",
        f"--threads {threads}" if isinstance(threads, int) and device == "cpu" else "",
        "--no-fuse" if run.record.get("fused") is False else "",
    ]
    return " ".join(option for option in options if option)
