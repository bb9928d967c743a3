"""`classify`: image files to what runs take them for."""

import json
import shutil
from pathlib import Path

import pytest
from helpers.command import Command
from helpers.reliability import only_folder, options, patched_session, small_spec
from helpers.saved_runs import make_run
from PIL import Image, ImageDraw

from mnist_tui.cli import classify as classify_command
from mnist_tui.images.read import read_digit
from mnist_tui.runs.control import Control
from mnist_tui.spec import presets
from mnist_tui.training import session
from mnist_tui.training.classify import Classifier


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a run with weights."""
    runs_dir = tmp_path_factory.mktemp("trained")
    with patched_session():
        list(session.run(small_spec(), options(runs_dir), Control()))
    return only_folder(runs_dir)


@pytest.fixture(autouse=True)
def work(trained: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A folder with two trained runs, …-aaaa and …-bbbb, with images of a one and a seven, and with a blank one."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("MNIST_TUI_RUNS_DIR", raising=False)
    for end in ("aaaa", "bbbb"):
        shutil.copytree(trained, Path("runs") / f"20260101T00000{'ab'.index(end[0])}Z-small-s0-{end}")
    draw("one.png", [(100, 30), (100, 170)])
    draw("seven.png", [(50, 50), (150, 50), (90, 160)])
    Image.new("L", (20, 20), 255).save("blank.png")
    Path("text.png").write_text("no image")


def draw(name: str, points: list[tuple[int, int]]) -> None:
    """A dark stroke on light paper."""
    image = Image.new("L", (200, 200), 255)
    ImageDraw.Draw(image).line(points, fill=0, width=18)
    image.save(name)


def test_json(command: Command) -> None:
    """An object per file and run, in this order, with ten probabilities: those of the network."""
    code, out, err = command("classify", "seven.png", "one.png", "--run", "aaaa", "--run", "bbbb", "--json")
    answers = json.loads(out)
    runs = sorted(path.name for path in Path("runs").iterdir())
    (expected,) = Classifier(Path("runs") / runs[0]).classify([read_digit(Path("seven.png"))])

    assert (code, err) == (0, "")
    assert [(one["file"], one["run"]) for one in answers] == [
        (file, run) for file in ("seven.png", "one.png") for run in runs
    ]
    assert all(len(one["probabilities"]) == 10 for one in answers)
    assert [sum(one["probabilities"]) for one in answers] == pytest.approx([1] * 4)
    assert answers[0]["probabilities"] == pytest.approx(expected)
    assert all(one["probabilities"][one["prediction"]] == max(one["probabilities"]) for one in answers)


def test_text(command: Command) -> None:
    """A line per image and run: prediction, its probability, and the three most probable classes."""
    answers = json.loads(command("classify", "seven.png", "one.png", "--run", "aaaa", "--json")[1])
    code, out, err = command("classify", "seven.png", "one.png", "--run", "aaaa")

    assert (code, err) == (0, "")
    for line, one in zip(out.splitlines(), answers, strict=True):
        file, run, label, share, *top = line.split()
        assert (file, run, label) == (one["file"], one["run"], str(one["prediction"]))
        assert share == f"{max(one['probabilities']):.1%}"
        assert top[:2] == [label, f"{share},"]
        assert len(top) == 6


def test_the_newest_run_with_an_epoch(command: Command) -> None:
    """Without --run; newer ones that have none are passed over."""
    begun = make_run(Path("runs"), presets.load("iter5"), index=9)
    for name in ("end.json", "history.jsonl"):
        (begun / name).unlink()
    Path("runs/29990101T000000Z-broken-s0-0000").mkdir()

    assert [one["run"][-4:] for one in json.loads(command("classify", "one.png", "--json")[1])] == ["bbbb"]


def test_a_run_named_twice_answers_once(command: Command) -> None:
    """By its end and by its path."""
    path = next(Path("runs").glob("*-aaaa"))

    assert len(json.loads(command("classify", "one.png", "--run", "aaaa", "--run", str(path), "--json")[1])) == 1


@pytest.mark.parametrize("as_json", [True, False])
def test_a_bad_image_does_not_keep_the_others_from_being_classified(as_json: bool, command: Command) -> None:
    """A line on stderr for each, exit code 2 at the end."""
    images = ("blank.png", "seven.png", "missing.png", "text.png")
    code, out, err = command("classify", *images, "--run", "aaaa", *(["--json"] if as_json else []))

    assert code == 2
    assert [line.split(": ")[1] for line in err.splitlines()] == ["blank.png", "missing.png", "text.png"]
    assert "seven.png" in out
    assert len(json.loads(out) if as_json else out.splitlines()) == 1


def test_without_a_good_image_nothing_is_loaded(command: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nor printed."""
    monkeypatch.setattr(classify_command, "_classify", lambda *arguments: pytest.fail("loads torch"))

    assert command("classify", "blank.png", "--json")[:2] == (2, "")


@pytest.mark.parametrize(
    ("arguments", "expected", "message"),
    [
        (("one.png", "--run", "nothing"), 2, "nothing: is no run folder, and no run in runs has that name"),
        (("one.png", "--runs-dir", "nowhere"), 2, "nowhere: no run in it has finished an epoch"),
        (("one.png", "--run", "0007"), 3, "no weights are kept of epoch 20"),
        (("one.png", "--run", "pictures"), 2, "pictures"),
        (("",), 2, "IMAGE is empty; name a PNG or JPEG file"),
        (("one.png", "--run", ""), 2, "RUN is empty"),
        (("--run", "aaaa"), 2, "IMAGE... is missing; see mnist-tui classify --help"),
    ],
)
def test_what_is_wrong(arguments: tuple[str, ...], expected: int, message: str, command: Command) -> None:
    """One line, the right exit code, nothing on stdout."""
    make_run(Path("runs"), presets.load("iter5"), index=7)
    Path("runs/pictures").mkdir()
    code, out, err = command("classify", *arguments)

    assert (code, out, err.count("\n")) == (expected, "", 1)
    assert message in err


def test_names_of_files_drive_no_terminal(command: Command) -> None:
    """Control characters are replaced in the text, and escaped in JSON."""
    Path("one.png").rename("\x1b[31mone.png")
    text, document = command("classify", "\x1b[31mone.png")[1], command("classify", "\x1b[31mone.png", "--json")[1]

    assert "\x1b" not in text + document
    assert json.loads(document)[0]["file"] == "\x1b[31mone.png"


def test_damaged_weights_are_one_line(command: Command) -> None:
    """It names the file; exit code 3, and nothing is printed, whichever other runs are named."""
    folder = next(Path("runs").glob("*-aaaa"))
    for weights in folder.glob("ckpt-*.safetensors"):
        weights.write_bytes(weights.read_bytes()[:100])
    code, out, err = command("classify", "one.png", "--run", "aaaa")

    assert (code, out, err.count("\n")) == (3, "", 1)
    assert "ckpt-00000005.safetensors: is damaged" in err
    assert command("classify", "one.png", "--run", "aaaa", "--run", "bbbb") == (code, out, err)
