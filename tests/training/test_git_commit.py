"""The commit that a run notes: git is asked, and no program that a repository names is run."""

import subprocess
from pathlib import Path

import pytest

from mnist_tui.training.environment import git


def in_repository(*arguments: str) -> None:
    """Runs git in the working folder."""
    name = ("-c", "user.name=a", "-c", "user.email=a@b.c")
    subprocess.run(["git", *name, *arguments], check=True, capture_output=True)


@pytest.fixture(autouse=True)
def repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A repository with one commit, as the working folder."""
    monkeypatch.chdir(tmp_path)
    in_repository("init", "-q")
    (tmp_path / "file.txt").write_text("one\n")
    in_repository("add", "file.txt")
    in_repository("commit", "-q", "-m", "first")
    return tmp_path


def test_commit_and_changes(repository: Path) -> None:
    """A changed file is a change, and a file that git does not know is none."""
    before = git()
    (repository / "new.txt").write_text("new\n")
    with_new = git()
    (repository / "file.txt").write_text("two\n")
    after = git()

    assert before is not None
    assert len(before["commit"]) == 40
    assert before["dirty"] is False
    assert with_new == before
    assert after == before | {"dirty": True}


def test_names_that_are_no_utf_8(repository: Path) -> None:
    """A branch in Latin-1 keeps no run from beginning."""
    config = repository / ".git" / "config"
    config.write_bytes(config.read_bytes() + b'[branch "caf\xe9"]\n\tremote = origin\n')
    asked = git()

    assert asked is not None
    assert asked["dirty"] is False


PROGRAMS = {
    "monitor": ("core.fsmonitor", "touch {ran}; false"),
    "filter": ("filter.evil.clean", "touch {ran}; cat"),
    "process": ("filter.evil.process", "touch {ran}; false"),
}


@pytest.mark.parametrize("program", PROGRAMS)
@pytest.mark.parametrize("is_included", [False, True])
def test_no_program_of_a_repository_is_run(program: str, is_included: bool, repository: Path, tmp_path: Path) -> None:
    """Neither one that its configuration names nor one of a file that this includes; git itself would run each."""
    ran = tmp_path / "ran"
    key, command = PROGRAMS[program]
    (repository / ".gitattributes").write_text("*.txt filter=evil\n")
    (repository / "file.txt").write_text("two\n")
    file = ("--file", "more.config") if is_included else ()
    in_repository("config", *file, key, command.format(ran=ran))
    if is_included:
        in_repository("config", "include.path", "../more.config")
    asked = git()
    was_run = ran.exists()
    subprocess.run(["git", "status", "--porcelain"], check=False, capture_output=True)

    assert asked is not None
    assert asked["dirty"] in (True, None)
    assert not was_run
    assert ran.exists()  # The control.
