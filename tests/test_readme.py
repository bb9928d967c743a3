"""What a newcomer copies from README.md."""

import re
import shlex
from pathlib import Path

import pytest
from helpers.command import Command

from mnist_tui.spec import presets

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"^```(\w*)\n(.*?)^```", README, flags=re.MULTILINE | re.DOTALL)
COMMANDS = [
    line
    for language, block in BLOCKS
    for line in block.splitlines()
    if not language and line.startswith("mnist-tui ") and "|" not in line
]


def test_the_example_is_a_network_within_its_target(tmp_path: Path) -> None:
    """The file that is to be saved as my_net.toml."""
    (example,) = [block for language, block in BLOCKS if language == "toml"]
    (tmp_path / "my_net.toml").write_text(example)
    spec = presets.load_file(tmp_path / "my_net.toml")

    assert spec.parameters < (spec.target.parameters or 0)


def test_its_pictures_are_there_and_all_are_shown() -> None:
    """Every file of docs/, and no other."""
    named = set(re.findall(r"\]\((docs/[^)]+)\)", README))
    pages = {"docs/json.md", "docs/sweeps.md", "docs/datasets.md", "docs/house-models.md"}

    assert named - pages == {f"docs/{path.name}" for path in (ROOT / "docs").glob("*.svg")}


@pytest.mark.parametrize("line", COMMANDS)
def test_every_option_exists(line: str, command: Command) -> None:
    """With --help behind it, the command parses every option before it and trains nothing."""
    arguments = shlex.split(line, comments=True)[1:]
    code, out, err = command(*arguments, "--help")

    assert (code, err) == (0, "")
    options = re.findall(r"--[a-z-]+", " ".join(arguments))
    assert all(option in out for option in options)
