"""Seeds trained as one network, each in an ordinary run folder that is resumed alone."""

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from unittest import mock

import numpy as np
import pytest
import torch
from helpers.reliability import StopAfter, few_images, loads, options, patched_session, small_spec
from helpers.reliability import resume as resume_alone
from helpers.reliability import run as run_alone

from mnist_tui.errors import StorageError
from mnist_tui.runs import control
from mnist_tui.runs.control import Control
from mnist_tui.runs.events import EpochEnded, Event, Progress, RunEnded, RunStarted, Unpaused
from mnist_tui.runs.storage import RunFolder, checkpoints, load_run
from mnist_tui.spec.run_spec import RunSpec
from mnist_tui.training import loop, session
from mnist_tui.training.stacked import session as stacked

SEEDS = (0, 1, 2)
TOLERANCE = 1e-7


@pytest.fixture(autouse=True)
def few() -> Iterator[None]:
    """Runs on the few images, with a report after every step."""
    with (
        patched_session(),
        mock.patch.object(stacked, "loading", loads(lambda choice: few_images())),
        mock.patch.object(loop, "PROGRESS_SECONDS", 0),
    ):
        yield


@pytest.fixture
def float64(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Networks, images and losses in float64, where rounding does not grow."""
    monkeypatch.setattr(torch.Tensor, "float", torch.Tensor.double)
    torch.set_default_dtype(torch.float64)
    yield
    torch.set_default_dtype(torch.float32)


def specs(**recipe: object) -> list[RunSpec]:
    """A small run with three seeds."""
    return [small_spec(**{**recipe, "seed": seed}) for seed in SEEDS]


def train(runs_dir: Path, control: Control | None = None, **recipe: object) -> list[list[Event]]:
    """The events of each seed."""
    events: list[list[Event]] = [[] for _ in SEEDS]
    for index, event in stacked.run(specs(**recipe), options(runs_dir), control or Control()):
        events[index].append(event)
    return events


def folders(events: Sequence[Sequence[Event]]) -> list[Path]:
    """The run folder of each seed."""
    return [Path(event.folder) for own in events for event in own if isinstance(event, RunStarted)]


def losses(folder: Path) -> list[float]:
    """The losses of the epochs of a run, on training and test images, as its history has them."""
    return [loss for row in load_run(folder).rows for loss in (row.train_loss, row.test_loss)]


def test_each_seed_has_an_ordinary_folder(tmp_path: Path, float64: None) -> None:
    """With the files and, in float64, the numbers of a run of the seed alone."""
    events = train(tmp_path / "stacked")
    for spec in specs():
        list(run_alone(tmp_path / "alone", spec))

    alone = {load_run(folder).spec.train.seed: folder for folder in (tmp_path / "alone").iterdir()}
    for seed, folder in enumerate(folders(events)):
        saved = load_run(folder)
        assert saved.spec == specs()[seed]
        assert (saved.record["seed"], saved.record["stacked"]) == (seed, len(SEEDS))
        assert {path.name for path in folder.iterdir()} == {path.name for path in alone[seed].iterdir()}
        assert saved.end is not None
        assert saved.end["outcome"] == "completed"
        assert losses(folder) == pytest.approx(losses(alone[seed]), rel=TOLERANCE)
        ours, theirs = (np.load(run / "predictions.npz") for run in (folder, alone[seed]))
        assert all(np.allclose(ours[name], theirs[name], rtol=1e-3) for name in theirs.files)


def test_each_seed_is_resumed_alone_where_all_stopped(tmp_path: Path, float64: None) -> None:
    """All stop after the same step; resumed one by one, they end as runs that were never stacked."""
    events = train(tmp_path / "stacked", StopAfter(7))
    ended = [own[-1] for own in events]

    assert [event.message for event in ended if isinstance(event, RunEnded)] == ["stopped in epoch 2 after 2 steps"] * 3
    for spec, folder in zip(specs(), folders(events), strict=True):
        list(resume_alone(folder))
        list(run_alone(tmp_path / f"alone{spec.train.seed}", spec))
        alone = next((tmp_path / f"alone{spec.train.seed}").iterdir())
        assert losses(folder) == pytest.approx(losses(alone), rel=TOLERANCE)


def test_a_checkpoint_has_the_random_state_of_its_seed(tmp_path: Path, float64: None) -> None:
    """Negative control: with that of another seed a resumed run has other losses."""
    events = train(tmp_path / "stacked", StopAfter(7))
    folder = folders(events)[0]
    other = torch.Generator().manual_seed(99).get_state()
    list(run_alone(tmp_path / "alone", specs()[0]))

    def restore_other(state: torch.Tensor) -> None:
        torch.default_generator.set_state(other)

    with mock.patch.object(torch, "set_rng_state", restore_other):
        list(resume_alone(folder))

    assert losses(folder)[2:] != pytest.approx(losses(next((tmp_path / "alone").iterdir()))[2:], rel=1e-3)


def test_an_event_comes_after_its_folder_is_written(tmp_path: Path) -> None:
    """An epoch of every seed is on disk, checkpoint and row, when its event arrives."""
    seen: dict[int, Path] = {}
    for index, event in stacked.run(specs(), options(tmp_path), Control()):
        if isinstance(event, RunStarted):
            seen[index] = Path(event.folder)
        elif isinstance(event, EpochEnded):
            assert len(load_run(seen[index]).rows) == event.epoch
            assert checkpoints(seen[index])
        elif isinstance(event, RunEnded):
            assert (seen[index] / "end.json").exists()


def test_a_request_through_one_folder_is_for_all(tmp_path: Path) -> None:
    """`mnist-tui stop RUN` of another process ends every seed, after the same step, saved."""
    ends, first = [], Path()
    for index, event in stacked.run(specs(epochs=50), options(tmp_path), Control()):
        if isinstance(event, RunStarted) and index == 1:
            first = Path(event.folder)
        elif isinstance(event, Progress) and index == 1 and event.step == 2 and event.epoch == 1:
            control.send(first, "stop")
        elif isinstance(event, RunEnded):
            ends.append(event)

    assert {event.outcome for event in ends} == {"stopped"}
    assert len({event.message for event in ends}) == 1
    assert all(load_run(folder).can_resume and checkpoints(folder) for folder in tmp_path.iterdir())


def test_a_pause_is_of_all(tmp_path: Path) -> None:
    """Every seed pauses after the same step, and goes on."""
    own = Control()
    own.pause()
    events = []
    for index, event in stacked.run(specs(), options(tmp_path), own):
        events.append((index, event))
        if type(event).__name__ == "Paused" and index == len(SEEDS) - 1:
            own.unpause()

    assert [index for index, event in events if isinstance(event, Unpaused)] == [0, 1, 2]
    assert sum(isinstance(event, RunEnded) and event.outcome == "completed" for _, event in events) == len(SEEDS)


def test_a_disk_that_fails_ends_all_seeds_and_each_is_resumed(tmp_path: Path) -> None:
    """Each run says so and has failed; with the disk back, each is resumed to its end."""
    original = RunFolder.save_checkpoint

    def fail(self: RunFolder, content: bytes, step: int, best_step: int | None) -> None:
        if step == 10 and "-s1-" in self.folder.name:
            raise OSError(28, "No space left on device")
        original(self, content, step, best_step)

    with mock.patch.object(RunFolder, "save_checkpoint", fail):
        events = train(tmp_path)

    ended = [own[-1] for own in events]
    assert [event.outcome for event in ended if isinstance(event, RunEnded)] == ["failed"] * 3
    assert all("No space left" in event.message for event in ended if isinstance(event, RunEnded))
    for folder in folders(events):
        assert [event.outcome for event in resume_alone(folder) if isinstance(event, RunEnded)] == ["completed"]


def test_folders_that_cannot_be_made(tmp_path: Path) -> None:
    """Nothing is trained, and what was begun is released."""
    original = RunFolder.create

    def fail(runs_dir: Path, spec: RunSpec, record: dict[str, object]) -> RunFolder:
        if spec.train.seed == 1:
            raise StorageError("cannot write")
        return original(runs_dir, spec, record)

    with mock.patch.object(RunFolder, "create", fail), pytest.raises(StorageError, match="cannot write"):
        train(tmp_path)

    RunFolder(next(tmp_path.iterdir())).close()  # Its lock is free.


def test_a_seed_that_diverges_ends_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its folder says so and has no checkpoint; the others complete."""
    original = session.make_training

    def poison(spec: RunSpec, *arguments: object) -> object:
        training = original(spec, *arguments)  # type: ignore[arg-type]
        if spec.train.seed == 1:
            training.vector.data[0] = torch.nan
        return training

    monkeypatch.setattr(stacked, "make_training", poison)
    events = train(tmp_path)

    outcomes = [json.loads((folder / "end.json").read_text())["outcome"] for folder in folders(events)]
    assert outcomes == ["completed", "diverged", "completed"]
    assert checkpoints(folders(events)[1]) == []
