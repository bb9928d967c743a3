"""A sweep on a Ray cluster as a process of its own, since Ray holds global state: prints each message as a JSON line.

Ctrl-C stops and saves the runs; pressed again, it aborts.
"""

import json
import signal
import sys
from collections.abc import Callable
from dataclasses import asdict
from functools import partial
from pathlib import Path

from mnist_tui.errors import MnistTuiError
from mnist_tui.runs.control import Control
from mnist_tui.spec import presets
from mnist_tui.spec.run_options import Options
from mnist_tui.sweep.cluster.ray_tasks import RayTasks, make_trainer
from mnist_tui.sweep.folder import Sweep, start
from mnist_tui.sweep.sweep_file import plan_of
from mnist_tui.sweep.train import train_points
from mnist_tui.sweep.train_jobs import Trainer


def main(on: str, per_run: str, preset: str, seeds: int, *flags: str) -> int:
    """Trains two configurations with some seeds; the exit code is that of the command line.

    `--apart`: nodes do not see the runs directory; `--once`: runs whose process dies are not resumed.
    """
    base = presets.load(preset)
    more = {"seeds": seeds, "choose_on": "test", "dataset": "digits", "lease": 2.0}
    sweep = start(Path("runs"), plan_of(base, {"optimizer.lr": ("0.001", "0.002")}, more))
    options = Options(dataset="digits", runs_dir=Path("runs"))
    control = Control()
    signal.signal(signal.SIGINT, lambda *_: _interrupt(control))
    signal.signal(signal.SIGHUP, lambda *_: control.stop())
    if "--once" in flags:
        RayTasks.attempts = 1
    try:
        trainer: Callable[[], Trainer] = make_trainer(on, per_run or None, sweep, options)
        if "--apart" in flags:
            trainer = partial(_without_marker, trainer, sweep)
        for point, message in train_points(sweep, options, control, trainer):
            fields = {"kind": type(message).__name__, "point": point and point.key, **asdict(message)}
            print(json.dumps(fields, default=str), flush=True)
    except MnistTuiError as error:
        print(error, file=sys.stderr)
        return error.exit_code
    except KeyboardInterrupt:
        return 130
    return 130 if control.should_stop else 0


def _interrupt(control: Control) -> None:
    if control.should_stop:
        raise KeyboardInterrupt
    control.stop()


def _without_marker(make: Callable[[], Trainer], sweep: Sweep) -> Trainer:
    """A trainer whose nodes see none of the files of this machine, as far as they can tell."""
    trainer = make()
    for marker in sweep.folder.glob(".shared-*"):
        marker.unlink()
    return trainer


if __name__ == "__main__":
    name, amounts, path, count, *others = sys.argv[1:]
    sys.exit(main(name, amounts, path, int(count), *others))
