"""Mistakes as real pixels in a whole dashboard: in terminals with sixels, with kitty's graphics, and with neither."""

import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from helpers.lab_terminal import MAIN, PRESET
from helpers.terminal_images import ImageLab, decode_kitty, decode_sixel, difference

from mnist_tui.training import data

SIZE = (120, 40)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A working folder with a run on the small digits."""
    folder = tmp_path_factory.mktemp("work")
    (folder / "small.toml").write_text(PRESET.format(epochs=1))
    arguments = ("--batch", "small.toml", "--dataset", "digits", "--quiet")
    subprocess.run([sys.executable, "-c", MAIN, *arguments], cwd=folder, env=ImageLab.environment(), check=True)
    return folder


@pytest.fixture
def lab(folder: Path, request: pytest.FixtureRequest) -> Iterator[ImageLab]:
    """The laboratory in a terminal that draws what the test says, and in which COLORTERM is not set."""
    lab = ImageLab(folder, "--pixels", size=SIZE, COLORTERM="")
    lab.kind = request.param
    yield lab
    lab.close()


def open_mistakes(lab: ImageLab) -> bytes:
    """Opens the mistakes; returns the grey values of the first one."""
    lab.wait_for("params")
    lab.press("4")
    lab.wait_for("Analyse")
    lab.wait_for("best epoch")
    lab.press("\t")
    lab.wait_for("page 1 of")
    lab.wait(lambda: re.search(r"#\d+ ", lab.text()))
    index = re.search(r"#(\d+) ", lab.text())
    assert index
    return data.load_digits().test.pixels[int(index[1])].numpy().tobytes()


@pytest.mark.parametrize("lab", ["sixel"], indirect=True)
def test_sixels(lab: ImageLab) -> None:
    """The first image is the first mistake; moving the cursor sends none, another view covers them all."""
    digit = open_mistakes(lab)
    lab.wait(lambda: lab.output.count(b"\x1bP") >= 8)
    while lab.read(0.5):
        pass
    images = re.findall("\x1bP[^\x1b]*\x1b\\\\", lab.output.decode())
    sent = len(lab.output)
    lab.press("l")
    lab.wait_for("2 of")
    moved = lab.output[sent:]
    lab.press("\t")
    lab.wait_for("calibration")

    assert difference(decode_sixel(images[0]), digit) < 12
    assert difference(decode_sixel(images[1]), digit) > 15
    assert b"\x1bP" not in moved
    assert not re.search("[\U00100000-\U0010fffd]", lab.output.decode())


@pytest.mark.parametrize("lab", ["kitty"], indirect=True)
def test_kitty(lab: ImageLab) -> None:
    """Every image that is placed on the screen was sent, and the first is the first mistake."""
    digit = open_mistakes(lab)
    lab.wait(lambda: any("\U0010eeee" in line for line in lab.screen.display))
    while lab.read(0.5):
        pass
    images = {number & 0xFFFFFF: image for number, image in decode_kitty(lab.output.decode()).items()}
    cells = [lab.screen.buffer[row][column] for row in range(SIZE[1]) for column in range(SIZE[0])]
    placed = [int(cell.fg, 16) for cell in cells if cell.data.startswith("\U0010eeee")]

    assert len(set(placed)) >= 8
    assert set(placed) == set(images)
    assert difference(images[placed[0]], digit) < 12


@pytest.mark.parametrize("lab", ["neither"], indirect=True)
def test_neither(lab: ImageLab) -> None:
    """It says so once, and draws half blocks."""
    lab.wait_for("neither sixels nor kitty")
    open_mistakes(lab)
    lab.wait_for("▀▀▀")

    assert b"\x1bP" not in lab.output
