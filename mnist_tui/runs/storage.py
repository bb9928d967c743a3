"""A run on disk: one folder, one writer, plain files that survive kill -9, a full disk and a power cut.

    run.json                  once, before the first step: the spec and what it ran on
    run.lock                  held for the run's life; who holds it trains (lock.py)
    history.jsonl             one row an epoch, synced, each with its crc32 (history.py)
    steps.jsonl               losses between epochs, and pauses; a failure to write it does not matter
    steering.jsonl            where the learning rate was changed by hand, up to the newest checkpoint
    control.jsonl             what other processes ask of the run (control.py)
    ckpt-<step>.safetensors   written whole or not at all; the newest two and the best stay
    predictions.npz           predictions on the test images in the best epoch
    end.json                  last: how the run ended
    resumed.jsonl             a line each time the run was resumed: when, on which device, with which versions
    run.log                   tracebacks, and files that could not be read
    notes.md                  target, result, analysis (annotations.py)
    tags.txt                  a person's tags, one a line (annotations.py)

An epoch is reported only after its checkpoint and its history row are on disk, in this order.
"""

import io
import json
import re
import secrets
import unicodedata
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mnist_tui.errors import FileError, RunError, StorageError
from mnist_tui.files import append_line, read_bytes, sync_folder, write_atomically
from mnist_tui.runs import annotations, lock, reference
from mnist_tui.runs.control import Requests
from mnist_tui.runs.events import EpochEnded, LearningRateChanged, Paused, Progress, RunEnded, Unpaused, finite
from mnist_tui.runs.history import RATE_CHANGES_FILE, HistoryWriter, parse_end, read_history, read_rate_changes
from mnist_tui.runs.reader import FORMAT, check_has_network, parse_spec, read_files
from mnist_tui.spec.run_spec import RunSpec
from mnist_tui.text import clean

if TYPE_CHECKING:
    from torch import Tensor

RESUMED_FILE = "resumed.jsonl"
MAX_CHECKPOINT = 4 * 2**30
"""A network of the largest size that a spec may have, with two moments for each weight, takes 2.4 GB."""
MAX_PREDICTIONS = 16 * 2**20


@dataclass(frozen=True)
class SavedRun:
    """A run folder whose every part this version can train on; `record.Run` is the tolerant view, for tables."""

    folder: Path
    spec: RunSpec
    record: dict[str, Any]
    """The whole of run.json."""
    rows: list[EpochEnded]
    end: dict[str, Any] | None
    """The whole of end.json; None while the run is trained, or was interrupted."""

    @property
    def can_resume(self) -> bool:
        """Whether it was interrupted, was stopped or failed before its recipe was done."""
        return self.end is None or self.end.get("outcome") in ("stopped", "failed")

    @property
    def has_diverged(self) -> bool:
        """Whether its loss or a gradient was no longer finite."""
        return self.end is not None and self.end.get("outcome") == "diverged"


def load_run(folder: Path) -> SavedRun:
    """A run folder as it stands; raises `RunError` where it is none, `StorageError` where it is unreadable."""
    if not folder.is_dir():
        raise RunError(f"{folder}: there is no such run folder")
    run = read_files(folder)
    check_has_network(run)
    if run.state in ("half written", "no run"):
        raise RunError(f"{folder}: {run.reason}")
    if not run.is_run and not run.end:  # With an end of an unknown kind it has ended, and can be watched.
        raise StorageError(f"{folder}: {run.reason}")
    if not all(isinstance(run.record.get(part, {}), dict) for part in ("dataset", "versions")):
        raise StorageError(f"{folder}/run.json: is damaged, or was not written by this program")
    spec = parse_spec(folder, run.record)
    return SavedRun(folder, spec, dict(run.record), read_history(folder), dict(run.end) or None)


class RunFolder:
    """The one writer of a run; holds the run's lock until it is closed."""

    def __init__(self, folder: Path) -> None:
        reference.check_changeable(folder)
        self.folder = folder
        self._lock = lock.Lock(folder / lock.FILE, folder)
        self._result: set[str] = set()
        """The lines of the result that this writer put into notes.md."""
        try:
            self._lock.acquire()
            for leftover in folder.glob(".*.tmp"):  # Of a process that was killed while it wrote.
                leftover.unlink(missing_ok=True)
            self._history = HistoryWriter(folder)
        except OSError as error:
            self._lock.release()
            raise StorageError(f"cannot write to {folder}: {error.strerror}") from None
        self.requests = Requests(folder)
        """What other processes ask of the run from now on."""

    @classmethod
    def create(cls, runs_dir: Path, spec: RunSpec, record: dict[str, Any]) -> "RunFolder":
        """A new folder with its run.json; raises `StorageError` where it cannot be written."""
        reference.check_changeable(runs_dir)
        run = None
        try:
            is_new = not runs_dir.exists()
            runs_dir.mkdir(parents=True, exist_ok=True)
            folder = new_folder(runs_dir, spec.name, f"s{spec.train.seed}")
            sync_folder(runs_dir)
            if is_new:
                sync_folder(runs_dir.parent)
            run = cls(folder)
            document = {"format": FORMAT, "run": folder.name, **record, "spec": spec.model_dump(mode="json")}
            write_atomically(folder / "run.json", _json_bytes(document))
        except OSError as error:
            if run is not None:
                run.close()
            raise StorageError(
                f"cannot write to {runs_dir}: {error.strerror}; name another folder with --runs-dir"
            ) from None
        return run

    @property
    def has_system_lock(self) -> bool:
        """Whether the system keeps others away; without, what is in run.lock does."""
        return self._lock.has_system_lock

    def save_checkpoint(self, content: bytes, step: int, best_step: int | None) -> None:
        """Writes a checkpoint after `step` steps, then removes those that are neither the best nor the newest two."""
        self._lock.check()
        path = checkpoint_path(self.folder, step)
        if _has_content(path, content):
            return
        # One of the same step may be older: a learning rate may change between two steps, or an epoch be evaluated.
        write_atomically(path, content)
        kept = {*checkpoints(self.folder)[:2], checkpoint_path(self.folder, best_step or 0)}
        for old in checkpoints(self.folder):
            if old not in kept:
                old.unlink()

    def append(self, row: EpochEnded) -> str | None:
        """Adds a row to the history, as `HistoryWriter.append`."""
        self._lock.check()
        return self._history.append(row)

    def report(self, event: Progress | Paused | Unpaused) -> None:
        """Adds a line to steps.jsonl; a failure there does not matter."""
        line = finite(asdict(event))
        line.pop("steps_per_epoch", None)
        if isinstance(event, Paused | Unpaused):
            line["paused"] = isinstance(event, Paused)
        with suppress(OSError):
            append_line(self.folder / "steps.jsonl", json.dumps(line, allow_nan=False))

    def save_rate_changes(self, rate_changes: list[LearningRateChanged]) -> None:
        """Writes the changes of the learning rate by hand to steering.jsonl."""
        self._lock.check()
        path = self.folder / RATE_CHANGES_FILE
        if rate_changes or path.exists():
            lines = (json.dumps(finite(asdict(event)), allow_nan=False) for event in rate_changes)
            write_atomically(path, "".join(f"{line}\n" for line in lines).encode())

    def save_predictions(
        self, epoch: int, labels: "Tensor", predictions: "Tensor", probabilities: "Tensor", log_probs: "Tensor"
    ) -> None:
        """Writes predictions.npz: what the network of the best epoch says about the N test images.

        Keys: epoch; labels and predictions, uint8 (N,); probabilities, float32 (N,), of the true class; log_probs,
        float16 (N, 10), of every class. A finite log-probability below float16's range becomes its lowest number, so
        that -inf in the file was -inf in the network.
        """
        self._lock.check()
        import numpy as np  # Only who trains writes them; listing runs does not wait for it.

        wide = log_probs.numpy()
        lowest = np.finfo(np.float16).min
        buffer = io.BytesIO()
        np.savez_compressed(
            buffer,
            epoch=np.int64(epoch),
            labels=labels.cpu().numpy().astype(np.uint8),
            predictions=predictions.numpy(),
            probabilities=probabilities.numpy(),
            log_probs=np.where(np.isneginf(wide), wide, wide.clip(lowest, None)).astype(np.float16),
        )
        write_atomically(self.folder / "predictions.npz", buffer.getvalue())

    def copy_predictions(self, source: Path) -> None:
        """Copies predictions.npz from the run in `source`; raises `StorageError` where it cannot be read."""
        try:
            content = read_bytes(source / "predictions.npz", MAX_PREDICTIONS, follow=False)
        except FileError as error:
            raise StorageError(str(error)) from None
        write_atomically(self.folder / "predictions.npz", content)

    def log(self, text: str) -> None:
        """Adds to run.log; a failure there does not matter."""
        with suppress(OSError):
            append_line(self.folder / "run.log", f"{datetime.now(UTC).isoformat(timespec='seconds')} {clean(text)}")

    def begin_again(self, record: dict[str, Any]) -> None:
        """Marks an ended run as resumed: adds `record` to resumed.jsonl and removes end.json."""
        self._take_back_result()
        append_line(self.folder / RESUMED_FILE, json.dumps(finite(record), allow_nan=False))
        (self.folder / "end.json").unlink(missing_ok=True)

    def _take_back_result(self) -> None:
        """Empties the result in notes.md where the program wrote it, about the end that is now undone."""
        saved = load_run(self.folder)
        ended = parse_end(saved.end) if saved.end else None
        if ended is None:
            return
        dataset = str(saved.record.get("dataset", {}).get("name"))
        lines = annotations.known_results(saved.spec, ended, dataset, read_rate_changes(self.folder))
        self._change_notes(lambda text: annotations.without_result(text, lines))

    def end(self, ended: RunEnded, notes: str) -> None:
        """Fills in notes.md, where a person's words stay, then writes end.json."""
        self._lock.check()
        replaced, self._result = self._result, annotations.result_lines(notes)
        self._change_notes(lambda text: annotations.merge_notes(annotations.without_result(text, replaced), notes))
        write_atomically(self.folder / "end.json", _json_bytes({"format": FORMAT, **asdict(ended)}))

    def _change_notes(self, change: Callable[[str], str]) -> None:
        path = self.folder / annotations.NOTES_FILE
        try:
            text = annotations.read_notes_text(path)
        except StorageError as error:
            self.log(f"{error}; the result is in end.json")
            return
        content = change(text).encode()
        if content != text.encode() and len(content) <= annotations.MAX_NOTES:
            write_atomically(path, content)

    def close(self) -> None:
        """Releases the lock."""
        self._lock.release()


def _has_content(path: Path, content: bytes) -> bool:
    """Whether a file has this content."""
    try:
        return path.stat().st_size == len(content) and read_bytes(path, len(content)) == content
    except (OSError, FileError):
        return False


def checkpoint_path(folder: Path, step: int) -> Path:
    """The path of a run's checkpoint after `step` steps."""
    return folder / f"ckpt-{step:08d}.safetensors"


def checkpoints(folder: Path) -> list[Path]:
    """The checkpoint files of a run, the newest first."""
    paths = [path for path in folder.glob("ckpt-*.safetensors") if re.fullmatch(r"ckpt-\d{8,}", path.stem)]
    return sorted(paths, key=lambda path: int(path.stem[5:]), reverse=True)


def read_checkpoint(folder: Path, step: int) -> bytes | None:
    """The content of a run's checkpoint after `step` steps; None where it cannot be read."""
    try:
        return read_bytes(checkpoint_path(folder, step), MAX_CHECKPOINT, follow=False)
    except FileError:
        return None


def readable_checkpoints(folder: Path) -> Iterator[tuple[Path, bytes]]:
    """The checkpoints of a run with their content, the newest first; unreadable ones are skipped."""
    for path in checkpoints(folder):
        try:
            yield path, read_bytes(path, MAX_CHECKPOINT, follow=False)
        except FileError:
            continue


def new_folder(runs_dir: Path, name: str, kind: str) -> Path:
    """Makes the folder of a new run, `TIME-NAME-KIND-ID`; raises `OSError`."""
    stamp = datetime.now(UTC).strftime("%Y%m%dT%H%M%SZ")
    while True:
        folder = runs_dir / f"{stamp}-{_slug(name)}-{kind}-{secrets.token_hex(2)}"
        try:
            folder.mkdir()
        except FileExistsError:
            continue
        return folder


def _slug(name: str) -> str:
    """A name in lower-case ASCII letters, digits and hyphens, without accents; `run` where nothing of it is left."""
    plain = unicodedata.normalize("NFKD", name.casefold()).encode("ascii", "ignore").decode()
    return re.sub("[^a-z0-9]+", "-", plain).strip("-")[:40].strip("-") or "run"


def _json_bytes(document: dict[str, Any]) -> bytes:
    return (json.dumps(finite(document), indent=2, allow_nan=False) + "\n").encode()
