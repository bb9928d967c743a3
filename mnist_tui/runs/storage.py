"""A run on disk: one folder, one writer, plain files that survive kill -9, a full disk and a power cut.

    run.json                  once, before the first step: the spec and what it ran on
    run.lock                  held for the run's life; who holds it trains
    history.jsonl             one row an epoch, synced, each with its crc32
    steps.jsonl               losses and pauses between, best effort
    steering.jsonl            where the learning rate was changed by hand, as the newest checkpoint has it
    control.jsonl             what other processes ask of the run
    ckpt-<step>.safetensors   replaced whole, or not at all; the newest two and the best stay
    predictions.npz           answers on the test images in the best epoch
    end.json                  last: how the run ended
    resumed.jsonl             a line for every time the run went on: where, with what
    run.log                   tracebacks, for who wants to know
    notes.md                  target, result, analysis
    tags.txt                  a person's tags, one a line

The order is checkpoint, history row, report: what was reported is on disk.
"""

import io
import json
import math
import os
import re
import secrets
import unicodedata
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from filelock import FileLock, Timeout

from mnist_tui.errors import FileError, RunError, SpecError, StorageError
from mnist_tui.files import read_bytes, read_text, sync_folder, write_all, write_atomically
from mnist_tui.runs.control import Requests
from mnist_tui.runs.events import EpochEnded, LearningRateChanged, Paused, Progress, RunEnded, Unpaused, finite
from mnist_tui.spec.run_spec import RunSpec, make_spec
from mnist_tui.text import clean

if TYPE_CHECKING:
    from torch import Tensor

FORMAT = 1
MAX_JSON = 16 * 2**20
MAX_CHECKPOINT = 4 * 2**30
"""A network of the largest size that a spec may have, with two moments for each weight, takes 2.4 GB."""
MAX_NOTES = 65_536
PARTS = ("target", "result", "analysis")
"""What notes.md says of a run, under headings such as `## Target`."""
_HEADING = re.compile(rf"^## ({'|'.join(PARTS)})[ \t]*$", re.IGNORECASE | re.MULTILINE)
_MEASURED = re.compile(
    r"- (completed|stopped|diverged|failed): [^\n]*\n- [\d,]+ parameters"
    r"(\n- (data: |best epoch \d+, |last epoch \d+: |target |steered, )[^\n]*)*"
)
"""A result as the program writes it."""
LOCK_SECONDS = 0.3
"""How long a run's lock is tried before the run counts as being trained."""
CERTAIN = ("train_accuracy", "test_accuracy", "learning_rate", "seconds", "images_per_second")
"""The numbers that every row has."""
UNCERTAIN = ("train_loss", "test_loss", "val_loss", "val_accuracy", "gradient_norm", "weight_norm")
"""Numbers that may be missing: not finite, without a validation split, or not measured by an older version."""
TIMINGS = ("seconds", "images_per_second")
"""The parts of a row that differ between two runs that are otherwise the same."""


@dataclass(frozen=True)
class SavedRun:
    """What a run folder holds."""

    folder: Path
    spec: RunSpec
    record: dict[str, Any]
    """The whole of run.json."""
    rows: list[EpochEnded]
    end: dict[str, Any] | None
    """The whole of end.json; None while the run goes on, or was interrupted."""

    @property
    def can_resume(self) -> bool:
        """Whether it was interrupted, was stopped or failed before its recipe was done."""
        return self.end is None or self.end.get("outcome") in ("stopped", "failed")


class RunFolder:
    """The one writer of a run; holds the run's lock until it is closed."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._lock = FileLock(folder / "run.lock")
        try:
            self._acquire()
            self._clean_up()
        except OSError as error:
            self._lock.release()
            raise StorageError(f"cannot write to {folder}: {error.strerror}") from None
        self._rows = {row["epoch"]: row for row in _read_rows(folder / "history.jsonl")[0]}
        self.segment = max((row.get("segment", 0) for row in self._rows.values()), default=0)
        self.requests = Requests(folder)
        """What other processes ask of the run from now on."""

    @classmethod
    def create(cls, runs_dir: Path, spec: RunSpec, record: dict[str, Any]) -> "RunFolder":
        """A new folder with its run.json; raises `StorageError` where it cannot be written."""
        run = None
        try:
            is_new = not runs_dir.exists()
            runs_dir.mkdir(parents=True, exist_ok=True)
            folder = _new_folder(runs_dir, spec)
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

    def _acquire(self) -> None:
        owner = _owner(self.folder / "run.lock")
        try:
            # Whoever lists the runs tries the lock for a moment.
            self._lock.acquire(timeout=LOCK_SECONDS, poll_interval=0.02)
        except Timeout:
            raise StorageError(f"{self.folder} is being trained by {owner}") from None
        with open(self.folder / "run.lock", "w") as file:
            file.write(f"process {os.getpid()} on {os.uname().nodename}")

    def save_checkpoint(self, content: bytes, step: int, best_step: int | None) -> None:
        """Writes a checkpoint of `step` steps, then removes what is neither best nor among the newest two."""
        path = checkpoint_path(self.folder, step)
        if _holds(path, content):
            return
        # Between two steps a run may be steered, or evaluated: then there is more to keep than before.
        write_atomically(path, content)
        kept = {*checkpoints(self.folder)[:2], checkpoint_path(self.folder, best_step or 0)}
        for old in checkpoints(self.folder):
            if old not in kept:
                old.unlink()

    def append(self, row: EpochEnded) -> str | None:
        """Adds a row to the history and syncs it; a row that is there already is compared, not written again.

        Returns a sentence where a row computed again differs from the stored one; it is then added in a new segment.
        """
        values = _values(row)
        stored = self._rows.get(row.epoch)
        differs = stored is not None and not _equal(stored, values)
        if stored is not None and not differs:
            return None
        if differs:
            self.segment += 1
        if self.segment:
            values["segment"] = self.segment
        path = self.folder / "history.jsonl"
        is_new = not path.exists()
        try:
            write_all(
                path,
                _row_bytes(values),
                os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_NOFOLLOW,
            )
            if is_new:
                sync_folder(self.folder)
        except OSError:
            self._heal_history()
            raise
        self._rows[row.epoch] = values
        return f"epoch {row.epoch} came out differently than before; both rows are kept" if differs else None

    def report(self, event: Progress | Paused | Unpaused) -> None:
        """Adds a line to steps.jsonl; a failure there does not matter."""
        line = finite(asdict(event))
        line.pop("steps_per_epoch", None)
        if isinstance(event, Paused | Unpaused):
            line["paused"] = isinstance(event, Paused)
        try:
            with open(self.folder / "steps.jsonl", "a") as file:
                file.write(json.dumps(line) + "\n")
        except OSError:
            pass

    def save_steering(self, steered: list[LearningRateChanged]) -> None:
        """Keeps where the run was steered, in steering.jsonl."""
        path = self.folder / "steering.jsonl"
        if steered or path.exists():
            write_atomically(path, "".join(json.dumps(asdict(event)) + "\n" for event in steered).encode())

    def save_predictions(
        self, epoch: int, labels: "Tensor", predictions: "Tensor", probabilities: "Tensor", log_probs: "Tensor"
    ) -> None:
        """Writes predictions.npz: what the network of the best epoch says about the N test images.

        Keys: epoch; labels and predictions, uint8 (N,); probabilities, float32 (N,), of the true class; log_probs,
        float16 (N, 10), of every class. A finite log-probability below float16's range becomes its lowest number, so
        that -inf in the file was -inf in the network.
        """
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
        """Takes over the answers of the run in `source`; raises `StorageError` where they cannot be read."""
        try:
            content = read_bytes(source / "predictions.npz", MAX_JSON, follow=False)
        except FileError as error:
            raise StorageError(str(error)) from None
        write_atomically(self.folder / "predictions.npz", content)

    def log(self, text: str) -> None:
        """Adds to run.log; a failure there does not matter."""
        try:
            with open(self.folder / "run.log", "a") as file:
                file.write(f"{datetime.now(UTC).isoformat(timespec='seconds')} {clean(text)}\n")
        except OSError:
            pass

    def begin_again(self, record: dict[str, Any]) -> None:
        """Marks a stopped run as going on, and notes in resumed.jsonl where and how."""
        with open(self.folder / "resumed.jsonl", "a") as file:
            file.write(json.dumps(record) + "\n")
        (self.folder / "end.json").unlink(missing_ok=True)

    def end(self, ended: RunEnded, notes: str) -> None:
        """Writes notes.md, in which a person's words stay, and end.json."""
        self._write_notes(notes)
        write_atomically(self.folder / "end.json", _json_bytes({"format": FORMAT, **asdict(ended)}))

    def _write_notes(self, notes: str) -> None:
        path = self.folder / "notes.md"
        try:
            there = read_notes_text(path)
        except StorageError as error:
            self.log(f"{error}; the result is in end.json")
            return
        content = merged_notes(there, clean(notes, MAX_NOTES)).encode()
        if content != there.encode() and len(content) <= MAX_NOTES:
            write_atomically(path, content)

    def close(self) -> None:
        """Gives the lock back."""
        self._lock.release()

    def _clean_up(self) -> None:
        """Takes away what a killed process left: temporary files, and the part of a row."""
        for leftover in self.folder.glob(".*.tmp"):
            leftover.unlink(missing_ok=True)
        self._heal_history()

    def _heal_history(self) -> None:
        """Cuts what a crash left of a row, so that the next one begins on a line of its own."""
        path = self.folder / "history.jsonl"
        if path.exists():
            _, good = _read_rows(path)
            if path.stat().st_size > good:
                os.truncate(path, good)


def _holds(path: Path, content: bytes) -> bool:
    """Whether a file has this content already."""
    try:
        return path.stat().st_size == len(content) and read_bytes(path, len(content)) == content
    except (OSError, FileError):
        return False


def read_notes_text(path: Path) -> str:
    """A notes.md as it stands; "" where there is none. Raises `StorageError` where it cannot be read, or is a link."""
    try:
        return read_text(path, MAX_NOTES, follow=False).replace("\r\n", "\n")
    except FileError as error:
        if error.is_missing:
            return ""
        raise StorageError(f"{error}; move it away, and notes can be kept again") from None


def split_notes(text: str) -> tuple[str, dict[str, str]]:
    """What stands before the first of the headings, and what stands under each that is there, by its part's name."""
    pieces = _HEADING.split(text)
    parts: dict[str, str] = {}
    for heading, piece in zip(pieces[1::2], pieces[2::2], strict=True):
        name = heading.lower()
        parts[name] = f"{parts[name]}\n\n{piece.strip()}".strip() if name in parts else piece.strip()
    return pieces[0].strip(), parts


def joined_notes(before: str, parts: Mapping[str, str]) -> str:
    """The text of a notes.md, its parts in their order; an empty one keeps its heading."""
    sections = [f"## {name.capitalize()}\n\n{parts[name]}".rstrip() for name in PARTS if name in parts]
    return "\n\n".join([before] * bool(before) + sections) + "\n\n" * bool(sections)


def merged_notes(there: str, ours: str) -> str:
    """The notes of a run that has ended: what a person wrote, and the program's words where nobody has.

    A result that the program wrote when the run was stopped before gives way to the new one.
    """
    before, parts = split_notes(there)
    title, measured = split_notes(ours)
    if not there.strip() or not measured:
        return there if there.strip() else ours
    if _MEASURED.fullmatch(parts.get("result", "")):
        del parts["result"]
    if not before.startswith("# "):
        before = f"{title}\n\n{before}".strip()
    return joined_notes(before, measured | {name: text for name, text in parts.items() if text})


def checkpoint_path(folder: Path, step: int) -> Path:
    """Where a run's checkpoint of so many steps is."""
    return folder / f"ckpt-{step:08d}.safetensors"


def checkpoints(folder: Path) -> list[Path]:
    """The checkpoint files of a run, the newest first."""
    found = [path for path in folder.glob("ckpt-*.safetensors") if re.fullmatch(r"ckpt-\d{8,}", path.stem)]
    return sorted(found, key=lambda path: int(path.stem[5:]), reverse=True)


def read_checkpoint(folder: Path, step: int) -> bytes | None:
    """A run's checkpoint of so many steps; None where it cannot be read."""
    try:
        return read_bytes(checkpoint_path(folder, step), MAX_CHECKPOINT)
    except FileError:
        return None


def readable_checkpoints(folder: Path) -> Iterator[tuple[Path, bytes]]:
    """The checkpoints of a run with their content, the newest first; unreadable ones are passed over."""
    for path in checkpoints(folder):
        try:
            yield path, read_bytes(path, MAX_CHECKPOINT)
        except FileError:
            continue


def load_run(folder: Path) -> SavedRun:
    """A run folder as it stands; raises `RunError` where it is none, `StorageError` where it is unreadable."""
    if not folder.is_dir():
        raise RunError(f"{folder}: there is no such run folder")
    record = _read_json(folder / "run.json")
    if record is None:
        raise RunError(f"{folder}: has no run.json, so it is no run (or died before it began)")
    if record.get("format") != FORMAT:
        raise StorageError(f"{folder}/run.json: has format {record.get('format')}; this version reads {FORMAT}")
    if not all(isinstance(record.get(part, {}), dict) for part in ("dataset", "versions")):
        raise StorageError(f"{folder}/run.json: is damaged, or was not written by this program")
    try:
        spec = make_spec(record["spec"])
    except (SpecError, KeyError) as error:
        raise StorageError(f"{folder}/run.json: {error}") from None
    return SavedRun(folder, spec, record, read_history(folder), _read_json(folder / "end.json"))


def read_history(folder: Path) -> list[EpochEnded]:
    """The epochs of a run, in order, damaged rows left out; raises `StorageError` for a file that cannot be read."""
    # A row that came out differently after a resume stands behind the old one, and replaces it.
    rows = {row["epoch"]: _epoch_ended(row) for row in _read_rows(folder / "history.jsonl")[0]}
    return [rows[epoch] for epoch in sorted(rows)]


def list_runs(runs_dir: Path) -> Iterator[SavedRun]:
    """Every readable run in a folder of runs, the newest first."""
    for folder in sorted(runs_dir.glob("*/run.json"), reverse=True):
        try:
            yield load_run(folder.parent)
        except StorageError:
            continue


def is_running(folder: Path) -> bool:
    """Whether some process holds the run's lock."""
    lock = FileLock(folder / "run.lock")
    try:
        with lock.acquire(timeout=0):
            return False
    except (Timeout, OSError):
        return True  # A lock that cannot even be tried is not ours to take.


def _new_folder(runs_dir: Path, spec: RunSpec) -> Path:
    name = _slug(spec.name)
    stamp = datetime.now(UTC).strftime("%Y%m%dT%H%M%SZ")
    while True:
        folder = runs_dir / f"{stamp}-{name}-s{spec.train.seed}-{secrets.token_hex(2)}"
        try:
            folder.mkdir()
        except FileExistsError:
            continue
        return folder


def _slug(name: str) -> str:
    """A name in small ASCII letters, digits and hyphens, without accents; `run` where nothing of it is left."""
    plain = unicodedata.normalize("NFKD", name.casefold()).encode("ascii", "ignore").decode()
    return re.sub("[^a-z0-9]+", "-", plain).strip("-")[:40].strip("-") or "run"


def _owner(lock: Path) -> str:
    try:
        return clean(read_text(lock, 200, follow=False)) or "another process"
    except FileError:
        return "another process"


def _json_bytes(document: dict[str, Any]) -> bytes:
    return (json.dumps(finite(document), indent=2, allow_nan=False) + "\n").encode()


def _row_bytes(values: dict[str, Any]) -> bytes:
    """A row as one line of JSON whose last key is the crc32 of the line without it."""
    text = json.dumps(finite(values), allow_nan=False)
    return f'{text[:-1]}, "crc32": {zlib.crc32(text.encode())}}}\n'.encode()


def _read_rows(path: Path) -> tuple[list[dict[str, Any]], int]:
    """The valid rows of a history, damaged ones left out, and the bytes up to the end of its last whole line."""
    if not path.exists():
        return [], 0
    try:
        content = read_bytes(path, MAX_JSON, follow=False)
    except FileError as error:
        raise StorageError(str(error)) from None
    rows = [row for line in content.splitlines(keepends=True) if (row := _valid_row(line)) is not None]
    return rows, content.rfind(b"\n") + 1


def _valid_row(line: bytes) -> dict[str, Any] | None:
    parts = re.fullmatch(rb'(\{.*), "crc32": (\d{1,10})\}\n', line)
    if parts is None or zlib.crc32(parts[1] + b"}") != int(parts[2]):
        return None
    try:
        row = json.loads(parts[1] + b"}")
    except (ValueError, RecursionError):
        return None
    return row if _is_row(row) else None


def _is_row(row: dict[str, Any]) -> bool:
    """Whether every part is of its kind: a sum proves that a row was not damaged, not who wrote it."""
    whole = all(type(row.get(name, 0)) is int for name in ("epoch", "segment")) and "epoch" in row
    return (
        whole
        and all(isinstance(row.get(name), float | int) for name in CERTAIN)
        and all(isinstance(row.get(name), float | int | None) for name in UNCERTAIN)
    )


def parsed_row(line: bytes) -> EpochEnded | None:
    """The epoch of a line of history.jsonl, with its end; None where it is damaged."""
    row = _valid_row(line)
    return None if row is None else _epoch_ended(row)


def history_line(row: EpochEnded) -> bytes:
    """A row as it stands in history.jsonl."""
    return _row_bytes(_values(row))


def _values(row: EpochEnded) -> dict[str, Any]:
    """A row as it is stored: `steered` only where it is true."""
    values: dict[str, Any] = finite(asdict(row))
    if not values["steered"]:
        del values["steered"]
    return values


def _epoch_ended(row: dict[str, Any]) -> EpochEnded:
    stored = {name: row.get(name) for name in EpochEnded.__dataclass_fields__}
    losses = {name: math.nan for name in ("train_loss", "test_loss") if row.get(name) is None}  # JSON has no infinity.
    return EpochEnded(**stored | losses | {"steered": row.get("steered") is True})  # type: ignore[arg-type]


def _equal(stored: dict[str, Any], computed: dict[str, Any]) -> bool:
    return all(stored.get(key) == value for key, value in computed.items() if key not in TIMINGS)


def _read_json(path: Path) -> dict[str, Any] | None:
    """The object in a JSON file, or None where there is no file; raises `StorageError` for anything else."""
    if not path.exists():
        return None
    try:
        document = json.loads(read_text(path, MAX_JSON, follow=False))
    except FileError as error:
        raise StorageError(str(error)) from None
    except (ValueError, RecursionError):
        raise StorageError(f"{path}: is no JSON; it was damaged, or not written by this program") from None
    if not isinstance(document, dict):
        raise StorageError(f"{path}: is no JSON object")
    return document
