"""The library: what `load`, `list_runs` and `train` give, what they refuse, and the example in README."""

import inspect
import re
import runpy
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from helpers.exports import RICH
from helpers.saved_runs import make_run

import mnist_tui
from mnist_tui.errors import CheckpointError, MnistTuiError, PresetError, RunError, SettingsError, SpecError
from mnist_tui.runs.control import Control
from mnist_tui.runs.events import EpochEnded, RunEnded, RunStarted
from mnist_tui.runs.record import Run
from mnist_tui.spec import presets
from mnist_tui.training.predict import load_network

EXAMPLE = Path(__file__).parent / "example_api.py"


@pytest.fixture(autouse=True)
def in_a_folder_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With no runs in it, and without a setting that names others."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("MNIST_TUI_RUNS_DIR", raising=False)


# --- load and list_runs ---


def test_a_network_by_folder_name_end_of_name_and_record(rich_run: Run) -> None:
    """All give the weights of the best epoch, in eval mode."""
    expected = load_network(rich_run.folder).state_dict()
    runs_dir = rich_run.folder.parent
    for network in (
        mnist_tui.load(rich_run.folder),
        mnist_tui.load(str(rich_run.folder)),
        mnist_tui.load(rich_run.id, runs_dir=runs_dir),
        mnist_tui.load(rich_run.id[-4:], runs_dir=str(runs_dir)),
        mnist_tui.load(rich_run),
        mnist_tui.load(rich_run, epoch=rich_run.best_epoch),
    ):
        assert not network.training
        assert all(torch.equal(value, expected[name]) for name, value in network.state_dict().items())


def test_networks_that_are_not_there(rich_run: Run) -> None:
    """No such run, and an epoch whose weights were not kept, are errors of the package, in one line."""
    with pytest.raises(RunError, match="nothing: is no run folder, and no run in runs has that name"):
        mnist_tui.load("nothing")
    with pytest.raises(CheckpointError, match="no weights are kept of epoch 9"):
        mnist_tui.load(rich_run, epoch=9)


def test_runs_of_a_folder(monkeypatch: pytest.MonkeyPatch) -> None:
    """The newest first; by the setting where none is named; what is no run is left out."""
    assert mnist_tui.list_runs() == []
    for index in range(3):
        make_run(Path("mine"), presets.load("iter5"), index, 0.99, index)
    Path("mine/pictures").mkdir()
    monkeypatch.setenv("MNIST_TUI_RUNS_DIR", "mine")

    assert [run.seed for run in mnist_tui.list_runs()] == [2, 1, 0]
    assert [run.title for run in mnist_tui.list_runs("mine")] == ["iter5 s2", "iter5 s1", "iter5 s0"]
    assert mnist_tui.list_runs(Path("elsewhere")) == []


# --- train ---


def test_a_run_is_trained_while_its_events_are_taken() -> None:
    """From a spec with changes, in the folder that is named; nothing happens before the first event is asked for."""
    events = mnist_tui.train(
        RICH,
        epochs=1,
        seed=5,
        changes={"peak": 0.02, "scheduler": None},
        device="cpu",
        dataset="digits",
        runs_dir="here",
    )
    assert not Path("here").exists()
    first = next(events)
    ended = list(events)[-1]

    assert isinstance(first, RunStarted)
    assert (first.seed, first.epochs, first.dataset) == (5, 1, "digits")
    assert isinstance(ended, RunEnded)
    assert ended.outcome == "completed"
    (run,) = mnist_tui.list_runs("here")
    assert run.spec is not None
    assert (run.spec.knobs["peak"], run.spec.train.scheduler) == (0.02, None)
    assert str(run.spec.train.optimizer) == "SGD(lr=peak/2, momentum=0.9)"


def test_a_preset_file_and_a_control() -> None:
    """A control stops the run after a step; the network has no epoch yet."""
    Path("mine.toml").write_text('layers = "Flatten()\\nLinear(10)"\n')
    control = Control()
    control.stop()
    for spec in (Path("mine.toml"), "mine.toml"):
        *_, ended = mnist_tui.train(spec, device="cpu", dataset="digits", control=control)
        assert isinstance(ended, RunEnded)
        assert (ended.outcome, ended.epochs) == ("stopped", 0)
    with pytest.raises(CheckpointError, match="has no epoch yet"):
        mnist_tui.load(mnist_tui.list_runs()[0])


WRONG: dict[str, tuple[Callable[[], object], type[MnistTuiError], str]] = {
    "a preset": (lambda: mnist_tui.train("itr5"), PresetError, "did you mean 'iter5'"),
    "a preset file": (lambda: mnist_tui.train(Path("no.toml")), PresetError, "no.toml: No such file"),
    "a change": (lambda: mnist_tui.train("iter5", changes={"optimizer.lrr": 1}), SpecError, "did you mean 'lr'"),
    "the epochs": (lambda: mnist_tui.train("iter5", epochs=0), SpecError, "epochs"),
    "the seed": (lambda: mnist_tui.train("iter5", seed=-1), SpecError, "seed"),
    "a recipe": (lambda: mnist_tui.train("iter5", changes={"optimizer": "Adam(eps=-1)"}), SpecError, "Invalid epsilon"),
    "a device": (lambda: mnist_tui.train("iter5", device="gpu"), SettingsError, "device must be auto, cpu"),
    "a data set": (lambda: mnist_tui.train("iter5", dataset="cifar"), SettingsError, "dataset must be one of auto"),
    "a data folder": (lambda: mnist_tui.train("iter5", data_dir="a/b/c"), SettingsError, "data_dir a/b/c: there is no"),
    "the threads": (lambda: mnist_tui.train("iter5", threads=0), SettingsError, "threads must be a whole number"),
    "a runs folder": (lambda: mnist_tui.list_runs(""), SettingsError, "runs_dir must be a path"),
}


@pytest.mark.parametrize("name", WRONG)
def test_wrong_input_is_refused_at_once(name: str) -> None:
    """By the call, not by the first event, in one line; and nothing is written."""
    call, error, message = WRONG[name]
    with pytest.raises(error) as refused:
        call()

    assert message in str(refused.value)
    assert "\n" not in str(refused.value)
    assert [path.name for path in Path().iterdir() if path.name != "home"] == []


# --- its documentation ---


@pytest.mark.slow
def test_the_example_runs(capsys: pytest.CaptureFixture[str]) -> None:
    """As it stands, on the small digits."""
    runpy.run_path(str(EXAMPLE))
    torch.set_num_threads(1)
    lines = capsys.readouterr().out.splitlines()

    assert re.fullmatch(r"epoch 1: \d+\.\d\d% of the test images", lines[0])
    assert re.fullmatch(r"iter5, seed 0: takes nothing for a \d", lines[1])


def test_readme_shows_the_example() -> None:
    """Its lines are those of the example, which is tested."""
    readme = (Path(__file__).parents[2] / "README.md").read_text(encoding="utf-8")
    (shown,) = [block for block in re.findall(r"```python\n(.*?)```", readme, flags=re.DOTALL) if "mnist_tui" in block]
    tested = EXAMPLE.read_text(encoding="utf-8").splitlines()

    assert "mnist_tui.load(" in shown
    assert [line for line in shown.splitlines() if line not in tested] == []


@pytest.mark.parametrize("name", mnist_tui.__all__)
def test_every_function_is_documented_and_typed(name: str) -> None:
    """Each argument and the result have a type; `help` says what is returned and raised."""
    function = getattr(mnist_tui, name)
    signature = inspect.signature(function)

    assert "Raises" in (function.__doc__ or "")
    assert all(each.annotation is not each.empty for each in signature.parameters.values())
    assert signature.return_annotation is not signature.empty


@pytest.mark.slow
def test_epochs_are_the_events_of_the_run() -> None:
    """What `rows` of a record holds equals the events that training gave."""
    events = list(mnist_tui.train(RICH, epochs=2, device="cpu", dataset="digits", threads=1))
    torch.set_num_threads(1)

    assert mnist_tui.list_runs()[0].rows == [event for event in events if isinstance(event, EpochEnded)]
