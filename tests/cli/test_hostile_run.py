"""A run folder that somebody else has made: links and folders that it names are neither read nor written."""

import json
import shutil
from pathlib import Path

import pytest
from helpers.command import Command
from helpers.trained_runs import train_run

from mnist_tui.datasets import folder as image_folder

FILES = (
    *("run.json", "run.lock", "history.jsonl", "steps.jsonl", "predictions.npz", "end.json", "notes.md"),
    *("control.jsonl", "tags.txt", "run.log", "ckpt-00000023.safetensors", "ckpt-00009999.safetensors"),
)
"""What a run folder may hold."""
SECRET = "the-secret-of-another-file"
CONTENT = f'{{"format": 1, "{SECRET}": "{SECRET}"}}\n'
"""Of the file that the links lead to: JSON and text."""
COMMANDS = (
    *("open RUN", "open RUN --json", "runs", "runs --json", "tag RUN kept", "note RUN -m more", "compare RUN RUN"),
    *("export RUN copied", "export RUN run.zip", "report RUN -o report.html", "analyse RUN", "resume RUN"),
    *("extend RUN 1", "delete RUN"),
)


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A working folder with one run, of 23 steps."""
    folder = tmp_path_factory.mktemp("trained")
    train_run(folder)
    return folder


@pytest.mark.parametrize("file", FILES)
def test_a_link_leads_nowhere(
    file: str, trained: Path, tmp_path: Path, command: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever is done with the run, the file that a link in it names stays as it is, and is shown nowhere."""
    work, other = tmp_path / "work", tmp_path / "other"
    shutil.copytree(trained, work)
    monkeypatch.chdir(work)
    other.write_text(CONTENT)
    (run,) = [path.parent for path in work.glob("runs/*/run.json")]
    (run / file).unlink(missing_ok=True)
    (run / file).symlink_to(other)
    shown = ""
    for line in COMMANDS:
        _, out, err = command(*line.replace("RUN", f"runs/{run.name}").split())
        assert "internal error" not in err
        shown += out + err

    assert other.read_text() == CONTENT
    assert SECRET not in shown
    written = [path for path in work.rglob("*") if path.is_file() and not path.is_symlink()]
    assert len(written) > 5
    assert not any(SECRET.encode() in path.read_bytes() for path in written)


def test_a_folder_of_images_is_not_looked_at(
    trained: Path, tmp_path: Path, command: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A data set that a run folder only names would have any folder of the machine searched for images."""
    shutil.copytree(trained, tmp_path / "work")
    monkeypatch.chdir(tmp_path / "work")
    (file,) = Path().glob("runs/*/run.json")
    record = json.loads(file.read_text())
    record["spec"]["data"] = {"name": f"folder:{tmp_path}"}
    file.write_text(json.dumps(record))
    looked: list[object] = []
    monkeypatch.setattr(image_folder, "read_facts", looked.append)
    for line in COMMANDS:
        _, _, err = command(*line.replace("RUN", str(file.parent)).split())
        assert "internal error" not in err

    assert looked == []
