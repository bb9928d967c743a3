"""`mnist-tui sweep` and `work`: what is refused before anything starts, and what is printed of made-up runs."""

from pathlib import Path

import pytest
from helpers.command import Command
from helpers.sweeps import lr_sweep, make_point

from mnist_tui.sweep.cost import Cost

SWEEP = ("sweep", "iter5", "--set", "optimizer.lr=0.01,0.02")


@pytest.fixture(autouse=True)
def working_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder without runs."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("MNIST_TUI_RUNS_DIR", raising=False)
    return tmp_path


@pytest.mark.parametrize(
    ("arguments", "part"),
    [
        (("sweep", "iter5"), "nothing is varied"),
        (("sweep", "nope", "--set", "epochs=1,2"), "'nope' is no preset"),
        (("sweep", "nope.toml", "--set", "epochs=1,2"), "nope.toml"),
        (("sweep", ""), "NAME is empty"),
        (("sweep", "stauts"), "'stauts' is no preset"),
        (("sweep", "iter5", "--set", "epochs"), "expected KEY=VALUE"),
        (("sweep", "iter5", "--set", "epochs=1,x"), "--set epochs: cannot read 'x'"),
        (("sweep", "iter5", "--set", "layers=iter4,iter55"), "there is no preset 'iter55'; did you mean 'iter5'"),
        ((*SWEEP, "--design", "gird"), "--design gird: must be grid, random or sobol; did you mean 'grid'"),
        ((*SWEEP, "--design", "sobol"), "needs the number of points"),
        ((*SWEEP, "--points", "0"), "--points 0: must be a whole number"),
        ((*SWEEP, "--seeds", "x"), "--seeds x: must be a whole number"),
        ((*SWEEP, "--choose-on", "train"), "--choose-on train: must be validation or test"),
        ((*SWEEP, "--by", "bets"), "--by bets"),
        ((*SWEEP, "--where", "parameters<10"), "none of 2 configurations keeps parameters<10"),
        ((*SWEEP, "--trials", "3"), "--trials goes with --search"),
        ((*SWEEP, "--search", "tpe"), "--search needs the number of trials"),
        ((*SWEEP, "--search", "tpe", "--trials", "3", "--points", "3"), "not allowed with it"),
        (
            (*SWEEP, "--search", "tpe", "--trials", "3", "--prune", "median", "--objective", "accuracy,parameters"),
            "two objectives",
        ),
        ((*SWEEP, "--search", "tpe", "--trials", "3", "--prune", "median", "--seeds", "2"), "leave seeds out"),
        ((*SWEEP, "--jobs", "0"), "--jobs 0: must be auto or a whole number between 1 and 1,000"),
        ((*SWEEP, "--name", "../x"), "--name '../x'"),
        ((*SWEEP, "--per-run", "cpu=1"), "--per-run goes with --on"),
        ((*SWEEP, "--on", "ray", "--jobs", "2"), "--jobs is not allowed with --on"),
        ((*SWEEP, "--on", "nowhere"), "--on nowhere: write ray, ray://HOST or HOST:PORT"),
        ((*SWEEP, "--on", "ray", "--per-run", "cpus=1"), "write amounts such as cpu=1,gpu=0.1; did you mean 'cpu'"),
        (("sweep", "resume"), "there is no sweep in runs"),
        (("sweep", "report", "x"), "there is no sweep 'x' in runs"),
        (("work", "x"), "there is no sweep 'x' in runs"),
    ],
)
def test_bad_input_begins_nothing(
    arguments: tuple[str, ...], part: str, command: Command, working_folder: Path
) -> None:
    """One line, exit code 2, no folder."""
    code, out, err = command(*arguments)

    assert (code, out) == (2, "")
    assert part in err
    assert err.count("\n") == 1
    assert not list(working_folder.iterdir())


def test_a_report_in_every_format(command: Command, working_folder: Path) -> None:
    """Of the newest sweep without a name; as text, Markdown and CSV."""
    sweep = lr_sweep(working_folder / "runs", seeds=2)
    for point in sweep.plan.all_points():
        make_point(sweep, point, 0.98 + 0.01 * point.number + 0.001 * point.seed)
    text = command("sweep", "report")[1]
    markdown = command("sweep", "report", "iter5", "--format", "markdown")[1]
    csv = command("sweep", "report", "--format", "csv")[1]
    one = command("sweep", "report", "--limit", "1")[1]

    assert "sweep iter5: 4 of 4 runs done" in text
    assert "Best: optimizer.lr 0.01, 99.05%" in " ".join(text.split())
    assert "| 1 |" in " ".join(markdown.split())
    assert markdown.startswith("# sweep iter5")
    assert csv.splitlines()[0] == "rank,optimizer_lr,parameters,accuracy,low,high,test_accuracy,front"
    assert "and 1 more: mnist-tui sweep report iter5 --limit N" in one


def test_a_sweep_that_is_done_is_not_trained_again(command: Command, working_folder: Path) -> None:
    """Its report is printed, without PyTorch; a point more is waited for by nobody."""
    sweep = lr_sweep(working_folder / "runs")
    for point in sweep.plan.all_points():
        make_point(sweep, point)
    code, out, err = command("sweep", "iter5", "--set", "optimizer.lr=0.001,0.01")

    assert (code, err) == (0, "")
    assert "2 of 2 runs done" in out
    assert command("work", "iter5")[:2] == (0, "")


@pytest.mark.parametrize(("outcome", "retry"), [("failed", " --retry-failed"), ("stopped", "")])
def test_json_of_a_sweep_that_is_not_done(
    outcome: str, retry: str, command: Command, working_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No report is printed: stderr says what is left, such as where runs were moved away while they were trained."""
    from mnist_tui.cli import sweep_runs  # torch: 2 s.

    monkeypatch.setattr(sweep_runs, "expected_cost", lambda plan, options: Cost(plan.runs, 1.0, 1))
    monkeypatch.setattr(sweep_runs, "train_points", lambda *arguments, **named: iter(()))
    sweep = lr_sweep(working_folder / "runs", "0.001", "0.01", "0.1")
    first, second, _ = sweep.plan.all_points()
    make_point(sweep, first)
    make_point(sweep, second, outcome=outcome)
    code, out, err = command("sweep", "resume", "--json", "--quiet")

    assert (code, out) == (1, "")
    assert err == (
        f"sweep iter5: 1 of 3 runs done (1 {outcome}, 1 waiting); "
        f"mnist-tui sweep resume iter5{retry} trains what is left\n"
    )


def test_sweeps_and_points_are_listed(command: Command, working_folder: Path) -> None:
    """With what is varied, how far they are, and the runs' ids; the runs know their sweep."""
    sweep = lr_sweep(working_folder / "runs")
    first, _ = sweep.plan.all_points()
    make_point(sweep, first, 0.99)
    listed = command("sweep")[1].splitlines()
    status = command("sweep", "status")[1].splitlines()
    runs = command("runs", "sweep:iter5", "--columns", "name,sweep")[1]

    assert listed[1].split()[3:] == ["optimizer.lr", "1", "2", "99.00%"]
    assert status[0] == "sweep iter5: 2 points: 1 completed, 1 waiting"
    assert status[2].split()[:5] == ["0", "0.001", "0", "completed", "1"]
    assert "iter5: optimizer.lr 0.001" in runs
    assert command("sweep", "stop")[0] == 0
    assert "stopped, mnist-tui sweep resume goes on" in command("sweep", "status")[1]


def test_a_batch_says_how_several_values_are_tried(command: Command) -> None:
    """`--set` with a list, which a batch does not take."""
    code, _, err = command("--batch", "step4", "--set", "batch_size=32,64")

    assert code == 2
    assert "mnist-tui sweep tries several values" in err
