"""TensorBoard's event files, written and read by TensorBoard."""

import os
from pathlib import Path

import pytest

from mnist_tui.errors import FileError, LogError
from mnist_tui.import_logs import tensorboard_form
from mnist_tui.import_logs.import_file import import_file

Curves = dict[str, list[tuple[int, float]]]


def write_events(folder: Path, curves: Curves) -> None:
    """An event file with scalars; curves are lists of steps and values, by their tags."""
    from tensorboard.compat.proto.event_pb2 import Event
    from tensorboard.compat.proto.summary_pb2 import Summary
    from tensorboard.summary.writer.event_file_writer import EventFileWriter

    writer = EventFileWriter(str(folder))
    for tag, scalars in curves.items():
        for step, value in scalars:
            summary = Summary(value=[Summary.Value(tag=tag, simple_value=value)])
            writer.add_event(Event(step=step, summary=summary, wall_time=0.0))
    writer.close()


@pytest.fixture(autouse=True)
def _in_tmp_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def test_steps_that_are_epochs() -> None:
    """As `add_scalar("Accuracy/test", accuracy, epoch)` writes them."""
    curves: Curves = {
        "Loss/train": [(0, 0.5), (1, 0.25)],
        "Accuracy/test": [(0, 90.0), (1, 98.5)],
        "other": [(0, 1.0)],
        "lr": [(0, 0.5), (1, 0.125)],
    }
    write_events(Path("run7"), curves)
    (log,) = import_file("run7").trainings

    assert log.name == "run7"
    assert [row.epoch for row in log.rows] == [1, 2]
    assert [row.train_loss for row in log.rows] == [0.5, 0.25]
    assert [row.test_accuracy for row in log.rows] == pytest.approx([0.9, 0.985])
    assert [row.learning_rate for row in log.rows] == [0.5, 0.125]


def test_an_epoch_ends_at_a_validation() -> None:
    """As Lightning writes: training losses every few steps, validation after each epoch, one global step."""
    curves: Curves = {
        "train_loss": [(step, float(step)) for step in range(0, 300, 50)],
        "val_acc": [(99, 0.9), (199, 0.95), (299, 0.96)],
    }
    write_events(Path("version_0"), curves)
    (log,) = import_file("version_0").trainings

    assert [row.train_loss for row in log.rows] == [50, 150, 250]
    assert [row.val_accuracy for row in log.rows] == pytest.approx([0.9, 0.95, 0.96])


def test_keras_writes_a_folder_for_each_part() -> None:
    """`train` and `validation`, with the same tags; what is over iterations is no epoch."""
    for part, accuracy in (("train", 0.5), ("validation", 0.75)):
        write_events(
            Path("logs") / part,
            {"epoch_accuracy": [(0, accuracy)], "evaluation_loss_vs_iterations": [(469, 9.0)]},
        )
    (log,) = import_file("logs").trainings

    assert (log.rows[0].train_accuracy, log.rows[0].val_accuracy) == (0.5, 0.75)
    assert "test_loss" in log.rows[0].unknown
    assert log.rows[0].val_loss is None


def test_curves_over_other_steps_are_not_mixed_in() -> None:
    """A training loss by steps, beside a test accuracy by epochs: which steps are in which epoch is not known."""
    curves: Curves = {"train_loss": [(0, 1.0), (100, 0.5)], "test/accuracy": [(0, 0.9), (1, 0.95)]}
    write_events(Path("a"), curves)
    file = import_file("a")

    assert [one.words for one in file.misread] == ["train_loss: its steps are no epochs"]
    assert all("train_loss" in row.unknown for row in file.trainings[0].rows)


@pytest.mark.parametrize(
    ("curves", "why"),
    [
        ({"x": [(0, 1.0)]}, "names no loss and no accuracy"),
        ({"train_loss": [(0, 1.0), (50, 0.5)]}, "has steps that are no epochs"),
    ],
)
def test_what_tells_no_epochs(curves: Curves, why: str) -> None:
    """One sentence, with the folder."""
    write_events(Path("a"), curves)

    with pytest.raises(LogError, match=f"^a: {why}"):
        import_file("a")


def test_damaged_files() -> None:
    """Whatever its bytes are: TensorBoard reads the records before the damage, or none."""
    Path("events.out.tfevents.1.x").write_bytes(b"\xff" * 1_000)
    with pytest.raises((LogError, FileError)):
        import_file("events.out.tfevents.1.x")


def test_large_folders_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """By the size of all their files together."""
    write_events(Path("a"), {"train_loss": [(0, 1.0)]})
    monkeypatch.setattr(tensorboard_form, "MAX_BYTES", 10)

    with pytest.raises(FileError, match="larger than 10 bytes"):
        import_file("a")


def test_without_tensorboard_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    """The reader is an extra."""
    import builtins

    from mnist_tui.errors import UsageError

    write_events(Path("a"), {"train_loss": [(0, 1.0)]})
    real_import = builtins.__import__

    def without(name: str, *arguments: object) -> object:
        if name.startswith("tensorboard"):
            raise ImportError(name)
        return real_import(name, *arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(UsageError, match=r"pip install 'mnist-tui\[tensorboard\]'"):
        import_file("a")


def test_a_file_that_is_not_there() -> None:
    """Its name alone tells what it would be."""
    with pytest.raises(FileError, match=r"events\.out\.tfevents\.1: No such file"):
        import_file("events.out.tfevents.1")


def test_a_pipe_beside_an_event_file_is_not_waited_for() -> None:
    """Of the name that TensorBoard reads, or of a like one."""
    write_events(Path("run7"), {"Accuracy/test": [(0, 0.9), (1, 0.98)]})
    os.mkfifo("run7/other.tfevents")

    with pytest.raises(FileError, match=r"other\.tfevents: is not a regular file"):
        import_file("run7")


def test_all_that_tensorboard_reads_counts_for_the_size(monkeypatch: pytest.MonkeyPatch) -> None:
    """Not only what has the usual name."""
    write_events(Path("run7"), {"Accuracy/test": [(0, 0.9), (1, 0.98)]})
    Path("run7/other.tfevents").write_bytes(bytes(20_000))
    monkeypatch.setattr(tensorboard_form, "MAX_BYTES", 10_000)

    with pytest.raises(FileError, match="is larger than 10,000 bytes"):
        import_file("run7")
