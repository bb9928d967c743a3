"""`mnist-tui leaderboard`: the table, the plot, JSON, and what is refused."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
from helpers.command import Command
from helpers.saved_runs import make_run

from mnist_tui.spec import presets


@pytest.fixture(autouse=True)
def runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with two recipes in ./runs."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "100")
    for seed, accuracy in enumerate((0.9938, 0.9947)):
        make_run(tmp_path / "runs", presets.load("step4"), seed, accuracy, seed)
    make_run(tmp_path / "runs", presets.load("iter5"), 0, 0.9949, 5)
    return tmp_path / "runs"


def test_the_table(command: Command) -> None:
    """The recipes in their order, and what they were ranked by."""
    code, out, err = command("leaderboard")
    lines = out.splitlines()

    assert (code, err) == (0, "")
    assert lines[1].split()[:5] == ["1", "iter5", "s0", "18,422", "99.49%"]
    assert lines[2].split()[:5] == ["2", "step4", "×2", "7,074", "99.43%"]
    assert lines[4].startswith("ranked by the test accuracy of the best epoch")
    assert "measured on\n" not in out


def test_a_filter_and_a_measure(command: Command) -> None:
    """Only the runs that are chosen; words may begin with a minus."""
    code, out, _ = command("leaderboard", "params<10000", "-tag:x", "--by", "last")

    assert code == 0
    assert "step4 ×2" in out
    assert "iter5" not in out
    assert "ranked by the test accuracy of the last epoch" in out


def test_published_figures(command: Command) -> None:
    """Below the table, with the images that they were measured on."""
    _, out, _ = command("leaderboard", "--published")

    assert "60,000 augmented training images, in eval mode" in out
    assert out.index("iter5 s0") < out.index("measured on") < out.index("ranked by")


def test_the_plot(command: Command) -> None:
    """As wide as the terminal, below the table."""
    _, out, _ = command("leaderboard", "--plot")
    lines = out.splitlines()

    assert any(line.startswith("● on the front  ○ published") for line in lines)
    assert "parameters" in lines[-1]
    assert max(map(len, lines[-20:])) == 100


def test_json(command: Command) -> None:
    """One object."""
    code, out, _ = command("leaderboard", "--json")

    assert code == 0
    assert [entry["name"] for entry in json.loads(out)["entries"]] == ["iter5 s0", "step4 ×2"]


@pytest.mark.parametrize("words", [[], ["name:nothing"]])
def test_without_a_run(words: list[str], command: Command, tmp_path: Path) -> None:
    """It says what to do, and draws what is published."""
    folder = tmp_path / ("empty" if not words else "runs")
    code, out, err = command("leaderboard", *words, "--runs-dir", str(folder), "--plot")

    assert (code, err) == (0, "")
    assert out.startswith("no run to rank: it takes one on MNIST that has ended; mnist-tui --batch step4 trains one\n")
    assert "○ published" in out


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--by", "bset"], "--by bset: must be best or last or mean; did you mean 'best'?"),
        (["--by", ""], "--by : must be best or last or mean"),
        (["--json", "--plot"], "--plot is not allowed with --json, which has the numbers"),
        (["params<many"], "params<many: enter a number such as parameters<20000"),
        (["--models", "nowhere"], "nowhere: there is no such folder of presets"),
    ],
)
def test_what_is_refused(arguments: list[str], message: str, command: Command) -> None:
    """In one line, with exit code 2."""
    assert command("leaderboard", *arguments) == (2, "", f"mnist-tui: {message}\n")


def test_a_broken_preset_does_not_hide_it(command: Command, tmp_path: Path) -> None:
    """It is left out of the published figures."""
    (tmp_path / "models").mkdir()
    (tmp_path / "models" / "broken.toml").write_text("layers = ")
    code, out, _ = command("leaderboard")

    assert code == 0
    assert "34 published figures" in out


@pytest.mark.slow
def test_without_torch() -> None:
    """Answers without the library that trains."""
    script = "import sys; from mnist_tui.cli import main as cli; sys.argv = ['mnist-tui', 'leaderboard', '--plot']\n"
    script += "try: cli.main()\nexcept SystemExit as ended: assert not ended.code\n"
    script += "print([name for name in ('textual', 'torch') if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)

    assert done.stdout.splitlines()[-1] == "[]"
