"""Sweeps whose processes are killed at random, on this machine and on a Ray cluster."""

from contextlib import closing
from functools import partial

from helpers.killed_sweep import WITHOUT_CLAIMS, KilledSweep, RayNodes

from stress_parts.frame import Case, Part, Trial


def cases_here(trial: Trial) -> list[Case]:
    """Three processes share a sweep; drivers and trainers are killed at random: each point ends once."""
    return _cases(trial, workers=3)


def cases_on_ray(trial: Trial) -> list[Case]:
    """Two drivers share a sweep on a Ray cluster of two nodes; drivers, trainers and nodes are killed at random."""
    return _cases(trial, workers=2, nodes=trial.exits.enter_context(closing(RayNodes())))


def _cases(trial: Trial, workers: int, nodes: RayNodes | None = None) -> list[Case]:
    points, epochs = (3, 4) if trial.sabotage else (6, 4) if trial.is_quick else (60, 20)
    killed = trial.exits.enter_context(
        closing(
            KilledSweep(
                trial.folder / "sweep", trial.seed, points, epochs, workers, sabotage=trial.sabotage or "", nodes=nodes
            )
        )
    )
    kills = [Case(f"kill {index + 1}", killed.kill) for index in range(0 if trial.sabotage else trial.size)]
    return [*kills, Case("the end", partial(_finish, killed))]


def _finish(killed: KilledSweep) -> str:
    killed.finish(400)
    return f"kills {killed.kills}: {killed.check()}"


CONTROLS = {"without claims": WITHOUT_CLAIMS}
HERE = Part(cases_here, full=80, quick=1, controls=CONTROLS, has_end=True, case_seconds=420)
ON_RAY = Part(cases_on_ray, full=60, quick=2, controls=CONTROLS, has_end=True, case_seconds=420)
