"""Shell completion, asked as the shells ask."""

import os
import resource
import shutil
import subprocess
import sys
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

import pytest
from helpers.saved_runs import make_run

from mnist_tui.spec import presets

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[2]

ITER = [name for name in presets.builtin_names() if name.startswith("iter")]

Complete = Callable[[str], list[str]]


def _run(**variables: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "mnist_tui"],
        env={**os.environ, "PYTHONPATH": str(ROOT), **variables},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


@pytest.fixture
def complete(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Complete:
    """What bash offers for the last word of a line, in an empty folder with three runs."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("MNIST_TUI_RUNS_DIR", raising=False)
    for number, name in enumerate(("iter4", "iter5", "iter5")):
        make_run(Path("runs"), presets.load(name), number, 0.99, number)

    def ask(line: str) -> list[str]:
        cursor = str(len(line.split(" ")) - 1)
        answer = _run(_MNIST_TUI_COMPLETE="complete_bash", COMP_WORDS=line, COMP_CWORD=cursor)
        assert (answer.returncode, answer.stderr) == (0, "")
        return answer.stdout.split()

    return ask


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("mnist-tui res", ["resume", "restore"]),
        ("mnist-tui --no-f", ["--no-fuse"]),
        ("mnist-tui config un", ["unset"]),
        ("mnist-tui config get th", ["threads", "theme"]),
        ("mnist-tui --batch iter5 --dataset d", ["digits"]),
        ("mnist-tui show exp1", [name for name in presets.builtin_names() if name.startswith("exp1")]),
        ("mnist-tui --preset era", ["era5"]),
        ("mnist-tui --batch iter", [*ITER, "iter5-s2-0002", "iter5-s1-0001", "iter4-s0-0000"]),
        ("mnist-tui show 0001", ["0001"]),
        ("mnist-tui lr-find iter5-s1", ["iter5-s1-0001"]),
        ("mnist-tui --preset 0002", ["0002"]),
        ("mnist-tui --batch 0002 --set optimizer.lr", ["optimizer.lr="]),
        ("mnist-tui --batch v2 era", ["era5"]),
        ("mnist-tui --batch v2 --set dro", ["dropout="]),
        ("mnist-tui show iter1 --set dro", []),
        ("mnist-tui --batch iter5 --set optimizer.lr", ["optimizer.lr="]),
        ("mnist-tui --set epo", ["epochs="]),
        ("mnist-tui --batch nosuch --set epo", []),
        ("mnist-tui lr", ["lr-find"]),
        ("mnist-tui lr-find era", ["era5"]),
        ("mnist-tui lr-find v2 --set dro", ["dropout="]),
        ("mnist-tui show v2 --set dro", ["dropout="]),
        ("mnist-tui explain pla", ["plateau"]),
        ("mnist-tui brief st", ["steps"]),
        ("mnist-tui analyse 0001 --against 0002", ["0002"]),
        ("mnist-tui classify one.png --run 0001", ["0001"]),
        ("mnist-tui runs --format m", ["markdown"]),
        ("mnist-tui --list --format ", ["table", "markdown", "csv", "json"]),
    ],
)
def test_words_are_completed(line: str, words: Sequence[str], complete: Complete) -> None:
    """Commands, options, choices, presets, runs, rules, and what `--set` takes for the preset of the line."""
    assert complete(line) == list(words)


def test_runs_are_completed_by_name_and_by_end(complete: Complete) -> None:
    """Runs are offered newest first, and by the end of the name where only one run has it; no link, nothing hidden."""
    names = sorted((path.name for path in Path("runs").iterdir()), reverse=True)
    shutil.copytree(Path("runs", names[0]), Path("runs", ".hidden"))
    Path("runs", "link").symlink_to(names[0])

    assert complete("mnist-tui open ") == names
    assert complete("mnist-tui resume iter5-") == [name.partition("-")[2] for name in names if "iter5" in name]
    assert complete("mnist-tui tag 0001") == ["0001"]
    assert complete("mnist-tui compare iter4-") == [name.partition("-")[2] for name in names if "iter4" in name]
    shutil.move("runs", "elsewhere")
    assert complete("mnist-tui open ") == []
    assert complete("mnist-tui open --runs-dir elsewhere ") == names
    assert complete("mnist-tui open reference/v3-") == [f"reference/v3-s{seed}" for seed in range(3)]


def test_a_damaged_settings_file_completes_nothing(complete: Complete) -> None:
    """With a damaged settings file nothing is offered and nothing is printed into the shell."""
    Path("mnist-tui.toml").write_text("theme = ")

    assert complete("mnist-tui open ") == []


@pytest.mark.parametrize("shell", ["zsh", "fish"])
def test_other_shells_are_answered_too(shell: str) -> None:
    """Other shells get their own formats."""
    answer = _run(
        _MNIST_TUI_COMPLETE=f"complete_{shell}",
        _TYPER_COMPLETE_ARGS="mnist-tui exte",
        _TYPER_COMPLETE_FISH_ACTION="get-args",
    )

    assert "extend" in answer.stdout
    assert answer.stderr == ""


@pytest.mark.skipif(shutil.which("bash") is None, reason="needs bash")
def test_bash_itself_completes(complete: Complete, tmp_path: Path) -> None:
    """With the script that `--show-completion` prints, sourced in a real bash."""
    script = _run(_MNIST_TUI_COMPLETE="source_bash").stdout
    (tmp_path / "bin").mkdir()
    program = tmp_path / "bin" / "mnist-tui"
    program.write_text(f'#!/bin/sh\nexec {sys.executable} -m mnist_tui "$@"\n')
    program.chmod(0o755)
    ask = "COMP_WORDS=(mnist-tui --batch iter5 --set optimizer.l); COMP_CWORD=4\n"
    function = next(line.split()[0].rstrip("()") for line in script.splitlines() if "()" in line)

    done = subprocess.run(
        ["bash", "--norc", "-c", f"{script}\n{ask}{function} mnist-tui\n" + 'echo "${COMPREPLY[@]}"'],
        env={**os.environ, "PYTHONPATH": str(ROOT), "PATH": f"{tmp_path / 'bin'}:{os.environ['PATH']}"},
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )

    assert done.stdout.split() == ["optimizer.lr="]


def test_completion_answers_at_once(complete: Complete) -> None:
    """In under 0.4 s of processor time; on a slow machine in four times what its two libraries take there and then."""
    lines = ("mnist-tui ", "mnist-tui --batch it", "mnist-tui --batch iter5 --set op", "mnist-tui open ")
    best = {line: min(_processor_seconds(partial(complete, line)) for _ in range(3)) for line in lines}
    imports = [sys.executable, "-c", "import typer, pydantic.main"]
    libraries = min(_processor_seconds(partial(subprocess.run, imports, check=True, timeout=60)) for _ in range(3))

    assert max(best.values()) < max(0.4, 4 * libraries), (best, libraries)


def _processor_seconds(run: Callable[[], object]) -> float:
    """What the processes took that a call has waited for."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    run()
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
