"""Runs directories whose files are damaged at random (damage.py), and what every command that reads them must answer.

An answer is a result or one line that says what is wrong, with the exit code 0, 2 or 3, and JSON is that of RFC 8259.
Nothing here needs pytest: `scripts/stress.py fuzz` runs thousands of such folders.
"""

import json
import random
import shutil
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from helpers.command import call
from helpers.damage import mutate
from helpers.saved_runs import make_run, random_log_probs, write_log_probs
from helpers.sweeps import lr_sweep, make_point
from helpers.time_limits import time_limit
from mnist_tui import api
from mnist_tui.runs import annotations, columns
from mnist_tui.spec import presets
from mnist_tui.sweep.folder import SWEEPS

SECONDS = 20
"""The longest that a command may take on folders of a few kilobytes."""
COMMANDS_PER_FOLDER = 8
OFTEN = ("run.json", "end.json", "history.jsonl", "sweep.json")
Arguments = tuple[str, ...]
RUN, OTHER, SWEEP, OUT = "RUN", "OTHER", "SWEEP", "OUT"
FILTERS = ("acc>50 -tag:kept", "lr<1 or params>1000", "(note:a or state:failed) when>2026", "epochs=20 gap<5 seconds>0")
FORMATS: tuple[Arguments, ...] = ((), ("--json",), ("--format", "csv"), ("--format", "markdown"))
MEASURES: tuple[Arguments, ...] = (("best",), ("last",), ("mean",))


def _in_formats(*arguments: str) -> list[Arguments]:
    return [(*arguments, *form) for form in FORMATS]


COMMANDS: dict[str, list[Arguments]] = {
    "runs": [*_in_formats("runs"), *_in_formats("runs", "--group"), *(("runs", each) for each in FILTERS)],
    "sort": [("runs", *more, "--sort", f"{sign}{each.key}", "--columns", f"run,{each.key}")
             for each in columns.ALL for sign in ("", "-") for more in ((), ("--group",))],
    "open": [*_in_formats("open", RUN), ("open", RUN, "--plot"), ("show", RUN)],
    "compare": [(*each, "--measure", *measure) for each in (*_in_formats("compare", RUN, OTHER),
                ("compare", RUN, OTHER, "--plot"), ("compare", "iter5", "v2")) for measure in MEASURES],
    "leaderboard": [(*each, "--by", *measure) for each in (*_in_formats("leaderboard"), ("leaderboard", "--plot"),
                    ("leaderboard", "--published")) for measure in MEASURES],
    "report": [("report", RUN, OTHER, "-o", f"{OUT}.{end}", "--force") for end in ("md", "html")],
    "analyse": [("analyse", RUN, *more) for more in ((), ("--json",), ("--against", OTHER),
                ("--against", OTHER, "--json"))],
    "write": [("note", RUN, "-m", "more"), ("tag", RUN, "kept"), ("tag", RUN)],
    "export": [*(("export", RUN, "--to", form, "-o", f"{OUT}.{form}", "--force") for form in ("csv",)),
               ("export", RUN, f"{OUT}.zip")],
    "brief": [("brief", "steps"), ("brief", "steps", "--json")],
    "sweep": [("sweep",), ("sweep", "--json"), *_in_formats("sweep", "status", SWEEP),
              *_in_formats("sweep", "report", SWEEP)],
}  # fmt: skip
"""The commands that read runs, by kind: each kind is tried as often as every other."""


# --- good folders ---


def make_good_runs(runs_dir: Path) -> None:
    """Two seeds of a recipe, a run with a validation split, an imported log and a sweep, with all their files."""
    iter5, v2 = presets.load("iter5"), presets.load("v2")
    folders = [make_run(runs_dir, iter5, seed, 0.99 + seed / 1000, seed) for seed in (0, 1)]
    folders.append(make_run(runs_dir, v2, 0, index=2, accuracies=[0.9, 0.95], val_accuracies=[0.91, 0.94]))
    sweep = lr_sweep(runs_dir, "0.001", "0.01", seeds=1, choose_on="validation")
    folders += [make_point(sweep, point, 0.9 + point.number / 100) for point in sweep.plan.all_points()]
    for folder in folders:
        write_log_probs(folder, *random_log_probs(40, len(folder.name)))
        annotations.write_tags(folder, ["old", "best-so-far"])
        annotations.add_notes(folder, "Over-fits from epoch 9.", "analysis")
        (folder / "steering.jsonl").write_text('{"epoch": 2, "step": 5, "learning_rate": 0.001}\n' * 2)
        (folder / "pruned.json").write_text('{"epoch": 2, "accuracy": 0.9, "reason": "below the median"}\n')
    for number in (1, 2):
        claim = {"host": "a machine", "pid": 12, "started": 3.5, "values": {"optimizer.lr": "0.01"}, "error": ""}
        (sweep.folder / "claims" / f"{number:05}-s0.1").write_text(json.dumps(claim))
    _import_log(runs_dir)


def _import_log(runs_dir: Path) -> None:
    log = runs_dir.parent / "log.csv"
    log.write_text("epoch,train_loss,train_accuracy,test_loss,test_accuracy\n1,0.3,0.9,0.2,0.95\n2,0.2,0.92,0.1,0.96\n")
    code, _, error = call("import", str(log), "--runs-dir", str(runs_dir))
    assert code == 0, error
    (folder,) = runs_dir.glob("*imported*")
    folder.rename(runs_dir / "20261130T000000Z-log-imported-0001")  # So that a seed says all.


# --- answers ---


class MutatedRuns:
    """Copies of good runs, each damaged by a seed and a number, and the commands that were tried on them."""

    def __init__(self, folder: Path, seed: int) -> None:
        self.seed = seed
        self.commands = 0
        self.codes: Counter[int] = Counter()
        """How many commands ended with each exit code."""
        self._folder = folder.resolve()
        self._good = self._folder / "good" / "runs"
        make_good_runs(self._good)

    def check(self, number: int) -> list[str]:
        """The ugly answers to some commands on one damaged folder, which is kept where there are any."""
        chance = random.Random(f"{self.seed}-{number}")
        case = self._folder / f"case-{number}"
        shutil.copytree(self._good.parent, case)
        runs_dir = case / "runs"
        run, other = chance.sample(sorted(path.name for path in runs_dir.iterdir() if (path / "run.json").exists()), 2)
        damaged = [*_damage(runs_dir / run, chance), *_damage(runs_dir / other, chance)]
        if chance.random() < 0.3:
            damaged += _damage(runs_dir / SWEEPS, chance)
        words = {RUN: run, OTHER: other, SWEEP: "iter5"}
        ugly = [wrong for wrong in map(self._answer, _commands(chance, words, case)) if wrong]
        ugly += [wrong for wrong in [_library(runs_dir)] if wrong]
        if not ugly:
            shutil.rmtree(case)
        return [f"{number}: {', '.join(path.name for path in damaged)}: {wrong}" for wrong in ugly]

    def _answer(self, arguments: Arguments) -> str | None:
        """What is wrong with the answer to a command; None where nothing is."""
        self.commands += 1
        with time_limit(SECONDS, KeyboardInterrupt()):  # Exit code 130, as after Ctrl-C, is no answer.
            code, out, err = call(*arguments)
        self.codes[code] += 1
        wrong = wrong_answer(code, out, err, "--json" in arguments)
        return wrong and f"{arguments}: {wrong}"


def _damage(folder: Path, chance: random.Random) -> list[Path]:
    """Damages some of the files below a folder, run.json, end.json and history.jsonl most often; returns them."""
    files = sorted(path for path in folder.rglob("*") if path.is_file() and path.name != "run.lock")
    weights = [3 if path.name in OFTEN else 1 for path in files]
    chosen = list(dict.fromkeys(chance.choices(files, weights, k=chance.choice([1, 1, 2, 3]))))
    for path in chosen:
        mutate(path, chance)
    return chosen


def wrong_answer(code: int, out: str, err: str, is_json: bool) -> str | None:
    """What is wrong with an answer; None where nothing is."""
    if "Traceback" in out + err or "internal error" in err:
        return err[-500:]
    if code not in (0, 2, 3):
        return f"exit code {code}: {err[-300:]}"
    if code and not (err.startswith("mnist-tui: ") or "\nmnist-tui: " in err):
        return f"exit code {code} without a reason: {err[-300:]!r}"
    if is_json and code == 0:
        try:
            json.loads(out, parse_constant=_refuse)
        except ValueError as error:
            return f"no JSON: {error}"
    return "an escape sequence" if "\x1b" in out + err else None


def _refuse(constant: str) -> None:
    raise ValueError(f"{constant} is no JSON")


def _commands(chance: random.Random, words: dict[str, str], case: Path) -> Iterator[Arguments]:
    """Some commands about the runs of a case, each of another kind."""
    for kind in chance.sample(list(COMMANDS), COMMANDS_PER_FOLDER):
        command = chance.choice(COMMANDS[kind])
        arguments = (words.get(word, word).replace(OUT, str(case / "out")) for word in command)
        yield (*arguments, "--runs-dir", str(case / "runs"))


def _library(runs_dir: Path) -> str | None:
    """What `mnist_tui.list_runs` raises, when every fact of every run is asked for."""
    try:
        for run in api.list_runs(runs_dir):
            for name in dir(type(run)):
                if not name.startswith("_"):
                    getattr(run, name)
    except Exception as error:
        return f"mnist_tui.list_runs: {type(error).__name__}: {error}"[:500]
    return None
