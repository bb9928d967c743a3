"""Sweeps on Ray without Ray: what is typed, the messages of a task, and run folders that are sent."""

import dataclasses
import os
import sys
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from helpers.lab_terminal import PRESET

from mnist_tui.datasets.published import MNIST
from mnist_tui.errors import (
    ClusterError,
    DataError,
    ExitCode,
    LockedError,
    MissingPackageError,
    StorageError,
    UsageError,
)
from mnist_tui.runs.control import Control
from mnist_tui.runs.events import EpochEnded, Progress, RunEnded, RunStarted
from mnist_tui.runs.lock import is_running
from mnist_tui.runs.storage import load_run
from mnist_tui.spec import presets
from mnist_tui.spec.run_options import Options
from mnist_tui.sweep.cluster import node as ray_node
from mnist_tui.sweep.cluster import options as ray_options
from mnist_tui.sweep.cluster import ray_tasks
from mnist_tui.sweep.cluster.mailbox import Mailbox, TaskBegun, TaskChannel, TaskMessage
from mnist_tui.sweep.cluster.mirror import Changes, Mirror, Original, read_files
from mnist_tui.sweep.cluster.node import Assignment, device_index, train_assignment
from mnist_tui.sweep.cluster.options import PerRun, parse_address, parse_per_run
from mnist_tui.sweep.cluster.ray_errors import end_of, unfit_nodes_as_error
from mnist_tui.sweep.folder import Sweep, start
from mnist_tui.sweep.jobs import ControlRequest, Job, JobEnded
from mnist_tui.sweep.sweep_file import plan_of

# --- what is typed ---


@pytest.mark.parametrize(
    ("text", "per_run", "threads"),
    [
        (None, PerRun(1.0, 0.0), 1),
        ("cpu=1,gpu=0.1", PerRun(1.0, 0.1), 1),
        ("gpu=0.25", PerRun(1.0, 0.25), 1),
        (" cpu = 4 ", PerRun(4.0, 0.0), 4),
        ("cpu=0.5", PerRun(0.5, 0.0), 1),
        ("cpu=0,gpu=1", PerRun(0.0, 1.0), 1),
    ],
)
def test_amounts_of_a_run(text: str | None, per_run: PerRun, threads: int) -> None:
    """One CPU where nothing is said; one thread for each CPU."""
    assert parse_per_run(text) == per_run
    assert parse_per_run(str(per_run)) == per_run
    assert per_run.threads == threads


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "write amounts such as cpu=1,gpu=0.1"),
        ("2", "write amounts such as cpu=1,gpu=0.1"),
        ("gpus=1", "did you mean 'gpu'?"),
        ("cpu=1,cpu=2", "cpu is there twice"),
        ("cpu=two", "cpu must be a share between 0.001 and 1, or a whole number up to 1,024"),
        ("gpu=1.5", "gpu must be a share"),
        ("cpu=-1", "cpu must be a share"),
        ("cpu=nan", "cpu must be a share"),
        ("cpu=inf", "cpu must be a share"),
        ("cpu=0", "needs some of a CPU or of a GPU"),
    ],
)
def test_amounts_that_cannot_be(text: str, message: str) -> None:
    """One line says which."""
    with pytest.raises(UsageError, match="--per-run") as caught:
        parse_per_run(text)
    assert message in str(caught.value)


def test_runs_that_fit_on_a_node() -> None:
    """By what there is least of; shares count exactly."""
    assert PerRun(1, 0.1).fits({"CPU": 64.0, "GPU": 2.0}) == 20
    assert PerRun(4).fits({"CPU": 10.0}) == 2
    assert PerRun(1, 0.5).fits({"CPU": 10.0}) == 0
    assert PerRun(0, 0.5).fits({"GPU": 1.0}) == 2


@pytest.mark.parametrize(
    ("on", "variable", "address"),
    [
        ("ray", None, "local"),
        ("ray", "", "local"),
        ("ray", "auto", "auto"),
        ("ray", "10.0.0.5:6379", "10.0.0.5:6379"),
        ("ray", "ray://head", "ray://head:10001"),
        ("ray://head", "other:6379", "ray://head:10001"),
        ("ray://head.lan:1234", None, "ray://head.lan:1234"),
        ("ray://[fd00::5]", None, "ray://[fd00::5]:10001"),
        ("head:6379", None, "head:6379"),
    ],
)
def test_addresses(on: str, variable: str | None, address: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The environment variable counts only for `ray`; clients have a port of their own."""
    monkeypatch.delenv("RAY_ADDRESS", raising=False)
    if variable is not None:
        monkeypatch.setenv("RAY_ADDRESS", variable)
    assert parse_address(on) == address


@pytest.mark.parametrize(
    "on", ["", "rays", "head", "ray://", "head:0", "head:70000", "http://head:6379", "a b:1", "ray:x"]
)
def test_addresses_that_cannot_be(on: str) -> None:
    """One line."""
    with pytest.raises(UsageError, match="write ray, ray://HOST or HOST:PORT"):
        parse_address(on)


def test_a_wrong_environment_variable_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """Since nobody typed it."""
    monkeypatch.setenv("RAY_ADDRESS", "nonsense")
    with pytest.raises(UsageError, match=r"^RAY_ADDRESS=nonsense: write"):
        parse_address("ray")


@pytest.fixture
def sweep(tmp_path: Path) -> Sweep:
    """A sweep of two points on the small digits."""
    (tmp_path / "small.toml").write_text(PRESET.format(epochs=2))
    base = presets.load(str(tmp_path / "small.toml"))
    return start(tmp_path / "runs", plan_of(base, {"optimizer.lr": ("0.001", "0.002")}, {"choose_on": "test"}))


@pytest.mark.parametrize(
    ("device", "per_run", "message"),
    [
        ("cuda", None, "--device cuda: a run gets no GPU of the cluster; add gpu=0.1 to --per-run"),
        ("cpu", "gpu=1", "leave --device cpu out"),
    ],
)
def test_a_device_that_does_not_fit(device: str, per_run: str | None, message: str, sweep: Sweep) -> None:
    """Ray gives GPUs to those who ask for them."""
    with pytest.raises(UsageError) as caught:
        ray_tasks.make_trainer("ray", per_run, sweep, Options(device=device))
    assert message in str(caught.value)


def test_ray_is_an_extra(sweep: Sweep, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where it is not installed, that is said before anything begins."""
    monkeypatch.setattr(ray_options, "find_spec", lambda name: None)
    with pytest.raises(MissingPackageError, match=r"ray is not installed; pip install 'ray\[client\]"):
        ray_tasks.make_trainer("ray", None, sweep, Options())


@pytest.mark.parametrize(("name", "visible", "index"), [("3", None, 3), ("3", "", 3), ("5", "4,5", 1), ("a", "a", 0)])
def test_the_device_that_ray_gives(name: str, visible: str | None, index: int) -> None:
    """Its place among those that the node's processes see."""
    assert device_index(name, visible) == index


# --- run folders that are sent ---


def make_mirror(folder: Path, is_new: bool = True) -> Mirror:
    """A mirror of a run called `run`."""
    folder.mkdir(exist_ok=True)
    return Mirror(folder, "run", is_new)


@pytest.mark.parametrize(
    "name", ["../evil", "/etc/evil", "a/b", "..", ".", "", ".hidden", "run.lock", "a\nb", "a\0b", "x" * 101, "-"]
)
def test_a_name_that_is_no_file_of_a_run_is_refused(name: str, tmp_path: Path) -> None:
    """Before anything is written or removed, inside the folder or outside."""
    mirror = make_mirror(tmp_path / "runs")
    for changes in (Changes("run", {"run.json": b"{}", name: b"evil"}), Changes("run", {"run.json": b"{}"}, (name,))):
        with pytest.raises(StorageError, match="is no name of a file"):
            mirror.apply(changes)

    assert [path.name for path in mirror.folder.iterdir()] == ["run.lock"]
    assert [path.name for path in tmp_path.iterdir()] == ["runs"]


@pytest.mark.parametrize("run", ["../evil", "/tmp/evil", ".", "", ".hidden", "a/b", "x" * 201])
def test_a_name_that_is_no_run_folder_is_refused(run: str, tmp_path: Path) -> None:
    """Nothing is made."""
    (tmp_path / "runs").mkdir()
    with pytest.raises(StorageError, match="is no name of a run folder"):
        Mirror(tmp_path / "runs", run, is_new=True)

    assert list((tmp_path / "runs").iterdir()) == []


def test_a_link_in_the_folder_is_replaced_not_followed(tmp_path: Path) -> None:
    """What it leads to stays as it is."""
    (tmp_path / "precious").write_text("mine")
    mirror = make_mirror(tmp_path / "runs")
    (mirror.folder / "notes.md").symlink_to(tmp_path / "precious")
    mirror.apply(Changes("run", {"notes.md": b"new"}))

    assert (tmp_path / "precious").read_text() == "mine"
    assert (mirror.folder / "notes.md").read_bytes() == b"new"
    assert not (mirror.folder / "notes.md").is_symlink()


def test_a_new_run_never_lands_in_a_folder_that_is_there(tmp_path: Path) -> None:
    """And one that is resumed is locked while it is trained."""
    mirror = make_mirror(tmp_path / "runs")
    with pytest.raises(StorageError, match="is there already; nothing is overwritten"):
        make_mirror(tmp_path / "runs")
    with pytest.raises(StorageError, match="is being trained by process"):
        make_mirror(tmp_path / "runs", is_new=False)
    was_running = is_running(mirror.folder)
    mirror.close()

    assert was_running
    assert not is_running(mirror.folder)


def test_a_copy_that_another_machine_trains_on_is_left_alone(tmp_path: Path) -> None:
    """It was taken over while this process was suspended."""
    mirror = make_mirror(tmp_path / "runs")
    (mirror.folder / "run.lock").write_text('{"pid": 1, "name": "vm2"}')
    with pytest.raises(LockedError, match="process 1 on vm2 has begun to train"):
        mirror.apply(Changes("run", {"notes.md": b"new"}))
    mirror.close()

    assert not (mirror.folder / "notes.md").exists()


def test_files_are_written_in_the_order_of_the_trainer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The end last; what is removed after everything else."""
    written: list[str] = []
    monkeypatch.setattr(
        "mnist_tui.sweep.cluster.mirror.write_atomically", lambda path, content: written.append(path.name)
    )
    names = ("end.json", "history.jsonl", "steps.jsonl", "ckpt-00000001.safetensors", "predictions.npz")
    make_mirror(tmp_path / "runs").apply(Changes("run", dict.fromkeys(names, b"")))

    assert written == ["ckpt-00000001.safetensors", "predictions.npz", "steps.jsonl", "history.jsonl", "end.json"]


def test_only_what_changed_is_sent(tmp_path: Path) -> None:
    """By name: new content, and what is gone; neither locks, links, folders nor hidden files."""
    folder = tmp_path / "run"
    original = Original(folder)
    original.write({"run.json": b"1", "old": b"2"})
    nothing = original.changes()
    (folder / "old").unlink()
    (folder / "history.jsonl").write_bytes(b"3")
    (folder / "run.lock").touch()
    (folder / ".x.tmp").touch()
    (folder / "link").symlink_to("/etc/passwd")
    (folder / "folder").mkdir()
    os.mkfifo(folder / "pipe")

    assert nothing == Changes("run", {})
    assert original.changes() == Changes("run", {"history.jsonl": b"3"}, ("old",))
    assert read_files(folder) == {"history.jsonl": b"3", "run.json": b"1"}


# --- messages, with an actor that is called directly ---


class Called:
    """A method of an actor that runs at once, where it is called."""

    def __init__(self, method: Callable[..., Any]) -> None:
        self.remote = method


class FakeActor:
    """A mailbox whose methods are called as those of an actor."""

    def __init__(self, mailbox: Mailbox) -> None:
        self.post, self.take, self.send = Called(mailbox.post), Called(mailbox.take), Called(mailbox.send)


class FakeRayError(Exception):
    """What Ray raises."""


@pytest.fixture
def mailbox(monkeypatch: pytest.MonkeyPatch) -> Mailbox:
    """A mailbox; Ray is replaced by what calls at once."""
    fake = SimpleNamespace(get=lambda value: value, exceptions=SimpleNamespace(RayError=FakeRayError))
    monkeypatch.setitem(sys.modules, "ray", fake)
    ray_node.sees.cache_clear()
    monkeypatch.setattr(ray_node, "LOOKS", (0.0,))
    return Mailbox()


def progress(step: int) -> Progress:
    """The state of an epoch."""
    return Progress(1, step, 10, 1.0, 0.1, 100.0)


def test_messages_and_requests_cross_the_mailbox(mailbox: Mailbox) -> None:
    """In their order; of progress only the newest; requests reach their own task, once."""
    control, other = Control(), Control()
    with TaskChannel(FakeActor(mailbox), "a", control) as channel, TaskChannel(FakeActor(mailbox), "b", other):
        for message in (progress(1), progress(2), JobEnded("x"), progress(3)):
            channel.send(message)
        mailbox.send(["a"], [ControlRequest("pause"), ControlRequest("learning_rate", 0.5)])
        channel.flush()
    messages = [message for token, message in mailbox.take() if token == "a"]

    assert messages == [TaskBegun(), progress(2), JobEnded("x"), progress(3)]
    assert (control.is_paused, control.consume_learning_rate()) == (True, 0.5)
    assert not other.is_paused
    assert mailbox.post("a", []) == []
    assert mailbox.take() == []


def test_a_run_stops_where_nobody_answers(mailbox: Mailbox) -> None:
    """Its driver is gone: it is saved, so that it can be resumed."""
    actor, control = FakeActor(mailbox), Control()
    with TaskChannel(actor, "a", control) as channel:

        def fail(*_: object) -> None:
            raise FakeRayError

        actor.post = Called(fail)
        channel.flush()

    assert control.should_stop


def assignment_of(sweep: Sweep, job: Job, **more: Any) -> Assignment:
    """An assignment on a node that does not see the runs directory."""
    return Assignment("a", job, sweep.folder / "nowhere", **more)


def messages_of(mailbox: Mailbox, assignment: Assignment) -> list[TaskMessage]:
    """What a task sends."""
    train_assignment(assignment, FakeActor(mailbox))
    return [message for _, message in mailbox.take()]


def land(sweep: Sweep, messages: list[TaskMessage], is_new: bool = True) -> Path:
    """The folder that changes are written to."""
    changes = [message for message in messages if isinstance(message, Changes)]
    mirror = Mirror(sweep.runs_dir, changes[0].run, is_new)
    for each in changes:
        mirror.apply(each)
    mirror.close()
    return mirror.folder


def job_of(sweep: Sweep, folder: Path | None = None) -> Job:
    """The job of the first point."""
    point = next(sweep.plan.all_points())
    options = Options(runs_dir=sweep.runs_dir, dataset="digits", threads=1, sweep=sweep.label(point))
    return Job(sweep.plan.spec_of(point), options, folder)


@pytest.mark.slow
def test_a_run_of_a_node_apart_lands_whole(mailbox: Mailbox, sweep: Sweep) -> None:
    """Each message comes after the files that it tells about; of an interrupted one the rest is trained elsewhere."""
    messages = messages_of(mailbox, assignment_of(sweep, job_of(sweep)))
    kinds = [type(message) for message in messages if not isinstance(message, Progress)]
    whole = land(sweep, messages)
    first_epoch = messages[
        : messages.index(next(message for message in messages if isinstance(message, EpochEnded))) + 1
    ]
    complete = read_files(whole)
    for path in whole.iterdir():
        path.unlink()
    whole.rmdir()
    land(sweep, first_epoch)
    interrupted = load_run(whole)
    files = (read_files(whole),)
    again = messages_of(mailbox, assignment_of(sweep, job_of(sweep, whole), files=files))
    land(sweep, again, is_new=False)

    epoch = [Changes, EpochEnded]
    assert kinds == [TaskBegun, Changes, RunStarted, *epoch, *epoch, Changes, RunEnded, JobEnded]
    assert (len(interrupted.rows), interrupted.end) == (1, None)
    assert [message.epochs_done for message in again if isinstance(message, RunStarted)] == [1]
    assert {"ckpt-00002874.safetensors", "predictions.npz", "end.json", "history.jsonl"} <= set(complete)
    assert len(load_run(whole).rows) == 2
    assert load_run(whole).end is not None
    assert set(read_files(whole)) == {*complete, "resumed.jsonl"}


@pytest.mark.slow
def test_a_sweep_of_the_small_digits_trains_on_them(mailbox: Mailbox, sweep: Sweep, tmp_path: Path) -> None:
    """Also where MNIST was found: what is trained on is the sweep's, whatever the settings of the machine say."""
    job = job_of(sweep)
    assert job.options.dataset == "digits"
    messages = messages_of(mailbox, assignment_of(sweep, job, raw=tmp_path))
    started = next(message for message in messages if isinstance(message, RunStarted))

    assert started.dataset == "digits"


def test_no_path_of_a_node_is_left_in_messages(mailbox: Mailbox, sweep: Sweep, monkeypatch: pytest.MonkeyPatch) -> None:
    """A failed run tells where its traceback is: in the folder that it lands in."""

    def fail(*_: object) -> None:
        raise ZeroDivisionError("division")

    monkeypatch.setattr("mnist_tui.training.session.train", fail)
    messages = messages_of(mailbox, assignment_of(sweep, job_of(sweep)))
    ended = next(message for message in messages if isinstance(message, RunEnded))
    end = load_run(land(sweep, messages)).end

    assert ended.outcome == "failed"
    assert f"the traceback is in {sweep.runs_dir}/" in ended.message
    assert end is not None
    assert end["message"] == ended.message


def test_a_task_that_is_stopped_before_it_began_trains_nothing(mailbox: Mailbox, sweep: Sweep) -> None:
    """It says only that it was there."""
    mailbox.send(["a"], [ControlRequest("stop")])
    assert messages_of(mailbox, assignment_of(sweep, job_of(sweep))) == [TaskBegun()]


def test_an_error_before_the_run_is_its_end(mailbox: Mailbox, sweep: Sweep) -> None:
    """With its exit code."""
    job = dataclasses.replace(job_of(sweep), folder=sweep.runs_dir / "gone")
    messages = messages_of(mailbox, assignment_of(sweep, job, files=({},)))

    assert [type(message) for message in messages] == [TaskBegun, JobEnded]
    assert isinstance(messages[1], JobEnded)
    assert messages[1].exit_code in (ExitCode.USAGE, ExitCode.ENVIRONMENT)


@pytest.mark.parametrize(
    ("error", "why", "has_died"),
    [
        (("WorkerCrashedError",), "its process died", True),
        (("NodeDiedError", "node x"), "its node died", True),
        (("OutOfMemoryError", "x"), "its process was killed, since its node was out of memory", True),
        (("TaskCancelledError",), "", False),
        (("RayTaskError", "f", "trace", OSError(28, "No space")), "its task failed: [Errno 28] No space", False),
        (
            ("RayTaskError", "f", "trace", ModuleNotFoundError("No module x")),
            "its task failed: No module x; each node needs the same versions of mnist-tui, Python and Ray",
            False,
        ),
        (("RayError", "unknown\ntrace"), "its task failed: unknown", True),
        ((), "", False),
    ],
)
def test_why_a_task_has_no_end(
    error: tuple[Any, ...], why: str, has_died: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One line; only a run whose process has died is trained again."""
    from ray import exceptions  # Takes a second, in every process that collects this file.

    def get(_: object) -> None:
        if error:
            raise getattr(exceptions, error[0])(*error[1:])

    monkeypatch.setattr("ray.get", get)
    assert end_of("reference") == (why, has_died)


def test_nodes_that_cannot_run_this_program() -> None:
    """Whatever Ray raises, one line; our own errors stay as they are."""
    with pytest.raises(ClusterError, match="cluster head:1 cannot run this"), unfit_nodes_as_error("head:1"):
        raise ModuleNotFoundError("mnist_tui.sweep")
    with pytest.raises(StorageError, match="mine"), unfit_nodes_as_error("head:1"):
        raise StorageError("mine")


@pytest.mark.usefixtures("mailbox")
def test_mnist_goes_to_nodes_that_lack_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """To where it is looked for by default, once; where it is, nothing is written."""
    files = {file.name: file.name.encode() for file in MNIST.files}
    monkeypatch.setenv("MNIST_TUI_DATA_DIR", str(tmp_path / "data"))
    first = ray_node._find_data(MNIST, tmp_path / "elsewhere", (files,))
    raw = tmp_path / "data" / "MNIST" / "raw"
    second = ray_node._find_data(MNIST, tmp_path / "elsewhere", ("not read",))
    (tmp_path / "blocked").touch()
    monkeypatch.setenv("MNIST_TUI_DATA_DIR", str(tmp_path / "blocked"))

    assert (first, second) == (None, None)
    assert {path.name: path.read_bytes() for path in raw.iterdir()} == files
    assert ray_node._find_data(MNIST, raw, ()) == raw
    with pytest.raises(DataError, match="MNIST cannot be written there"):
        ray_node._find_data(MNIST, tmp_path / "elsewhere", (files,))
