"""Bad input, as a user meets it: one clear line, exit code 2 (or 3 where the machine is at fault), nothing written."""

import errno
import json
import os
import resource
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from helpers.command import Command as InProcess

from mnist_tui.cli import start

ROOT = Path(__file__).parents[2]
ESCAPE = "\x1b"

GOOD = """
layers = '''
Conv2d(2, 3, stride=2)
ReLU()
MaxPool2d(2)
Flatten()
Linear(10)
'''
[train]
epochs = 1
batch_size = 64
optimizer = "Adam(lr=0.01)"
"""

TRAIN = ("--batch", "good.toml", "--dataset", "digits", "--device", "cpu")


@dataclass(frozen=True)
class Answer:
    """What a command gave back."""

    code: int
    out: str
    err: list[str]
    written: list[str]
    """What was added to the working folder, or changed in it."""

    @property
    def is_refusal(self) -> bool:
        """One line on stderr, none on stdout, nothing new in the folder, and no word of Python's."""
        leaks = ("Traceback", "Error:", "NoneType", "instances of", "argument of type", "pydantic", "Errno")
        line = "".join(self.err)
        return (len(self.err), self.out, self.written) == (1, "", []) and not any(leak in line for leak in leaks)


Command = Callable[..., Answer]


def _snapshot(folder: Path) -> dict[str, object]:
    """Every file below a folder with its size and time of change."""
    files = ((path, path.lstat()) for path in sorted(folder.rglob("*")))
    return {str(path.relative_to(folder)): (stat.st_mode, stat.st_size, stat.st_mtime_ns) for path, stat in files}


@pytest.fixture
def work(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The working folder: empty but for a good preset; MNIST is nowhere, and the network's only door is shut."""
    folder = tmp_path / "work"
    folder.mkdir()
    (folder / "good.toml").write_text(GOOD)
    monkeypatch.chdir(folder)
    for name in ("MNIST_TUI_DATA_DIR", "MNIST_TUI_RUNS_DIR", "no_proxy", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)
    for name in ("https_proxy", "HTTPS_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    return folder


@pytest.fixture
def command(command: InProcess, work: Path) -> Command:
    """`mnist-tui` in this process, which has loaded torch already."""

    def run(*arguments: str) -> Answer:
        before = _snapshot(work)
        code, out, err = command(*arguments)
        after = _snapshot(work)
        written = [path for path in after | before if after.get(path) != before.get(path)]
        return Answer(code, out, err.splitlines(), written)

    return run


def test_the_good_preset_is_good(command: Command) -> None:
    """What every refusal below is held against: without the mistake the run is made, and its folder is seen."""
    answer = command(*TRAIN)

    assert answer.code == 0
    assert any(path.endswith("end.json") for path in answer.written)
    assert not answer.is_refusal


ARGUMENTS: dict[str, tuple[tuple[str, ...], str]] = {
    "nothing asked for": ((), "the laboratory needs a terminal; train without one: mnist-tui --batch iter5"),
    "unknown command": (("shw", "iter5"), "did you mean 'show'?"),
    "a preset as a command": (("iter5",), "--batch NAME"),
    "unknown option": ((*TRAIN, "--epoch", "3"), "did you mean '--epochs'?"),
    "unknown option of a command": (("show", "iter5", "--jsn"), "did you mean '--json'?"),
    "two things at once": (("--list", "--batch", "iter5"), "not allowed with"),
    "batch without names": (("--batch",), "expected at least one"),
    "show without a name": (("show",), "NAME is missing; see mnist-tui show --help"),
    "two forms to show at once": (("show", "iter5", "--json", "--torchsummary"), "not allowed with --json"),
    "one word too many": (("layers", "x"), "unexpected extra argument(s) (x); see mnist-tui layers --help"),
    "unknown preset": (("--batch", "itr5"), "did you mean 'iter5'?"),
    "unknown preset to show": (("show", "exp1"), "did you mean 'exp1"),
    "nothing near": (("show", "zzzzzz"), "mnist-tui --list"),
    "one of several presets": (("--batch", "good.toml", "itr5", "--dataset", "digits"), "did you mean 'iter5'?"),
    "no such file": (("--batch", "nosuch.toml"), "nosuch.toml: No such file"),
    "endless file name": (("--batch", "x" * 5_000 + ".toml"), "File name too long"),
    "no such folder of presets": (("--list", "--models", "nosuch"), "no such folder"),
    "no such folder of presets beside a file": ((*TRAIN, "--models", "nosuch"), "no such folder"),
    "batch size 0": ((*TRAIN, "--set", "batch_size=0"), "train.batch_size: should be greater than or equal to 1"),
    "batch size 10^9": ((*TRAIN, "--set", "batch_size=1000000000"), "less than or equal to 60000, got 1000000000"),
    "epochs -1": ((*TRAIN, "--epochs", "-1"), "train.epochs: should be greater than or equal to 1, got -1"),
    "epochs=-1": ((*TRAIN, "--set", "epochs=-1"), "train.epochs: should be greater than or equal to 1, got -1"),
    "epochs 0": ((*TRAIN, "--epochs=0"), "train.epochs: should be greater than or equal to 1, got 0"),
    "epochs x": ((*TRAIN, "--epochs", "x"), "epochs: cannot read 'x'"),
    "epochs 10^9": ((*TRAIN, "--epochs", "1000000000"), "less than or equal to 10000, got 1000000000"),
    "epochs 1.5": ((*TRAIN, "--epochs", "1.5"), "whole number, got 1.5"),
    "seed -1": ((*TRAIN, "--seed", "-1"), "train.seed: should be greater than or equal to 0"),
    "seed 2^32": ((*TRAIN, "--seed", "4294967296"), "train.seed: should be less than or equal to 4294967295"),
    "seeds 0": ((*TRAIN, "--seeds", "0"), "must be a whole number between 1 and 1,000"),
    "seeds -3": ((*TRAIN, "--seeds", "-3"), "must be a whole number between 1 and 1,000"),
    "seeds x": ((*TRAIN, "--seeds", "x"), "--seeds"),
    "seeds past the last": ((*TRAIN, "--seed", "4294967295", "--seeds", "2"), "train.seed"),
    "threads 0": ((*TRAIN, "--threads", "0"), "--threads 0: must be a whole number between 1 and 1024"),
    "threads x": ((*TRAIN, "--threads", "x"), "--threads"),
    "lr nan": ((*TRAIN, "--set", "optimizer.lr=nan"), "'nan'"),
    "lr inf": ((*TRAIN, "--set", "optimizer.lr=inf"), "'inf'"),
    "lr 1e400": ((*TRAIN, "--set", "optimizer.lr=1e400"), "1e400"),
    "lr -1": ((*TRAIN, "--set", "optimizer.lr=-1"), "lr=-1 must be between 0 and"),
    "lr a word": ((*TRAIN, "--set", "optimizer.lr='x'"), "lr must be a number"),
    "lr a list": ((*TRAIN, "--set", "optimizer.lr=[0.1]"), "lr"),
    "lr None": ((*TRAIN, "--set", "optimizer.lr=None"), "lr"),
    "lr nothing": ((*TRAIN, "--set", "optimizer.lr="), "optimizer.lr"),
    "lr of nothing": ((*TRAIN, "--set", "lr=0.1"), "optimizer.lr"),
    "lr in a call": ((*TRAIN, "--set", "optimizer=Adam(lr=nan)"), "'nan'"),
    "unknown optimizer": ((*TRAIN, "--set", "optimizer=Adm(lr=1)"), "did you mean 'Adam'?"),
    "unknown argument of the optimizer": ((*TRAIN, "--set", "optimizer.lrr=1"), "did you mean 'lr'?"),
    "unknown scheduler": ((*TRAIN, "--set", "scheduler=StpLR(3)"), "did you mean 'StepLR'?"),
    "no scheduler to change": ((*TRAIN, "--set", "scheduler.gamma=2"), "there is no scheduler"),
    "scheduler of too few steps": ((*TRAIN, "--set", "scheduler=OneCycleLR(max_lr=0.1, total_steps=5)"), "5 steps"),
    "unknown transform": ((*TRAIN, "--set", "augment=RandomRotate(3)"), "did you mean 'RandomRotation'?"),
    "a number for a transform": ((*TRAIN, "--set", "augment=3"), "augment"),
    "unknown precision": ((*TRAIN, "--set", "precision=float16"), "'bfloat16'"),
    "betas that only torch can tell": ((*TRAIN, "--set", "optimizer.betas=(2, 3)"), "beta"),
    "misspelt setting": ((*TRAIN, "--set", "epoch=3"), "did you mean 'epochs'?"),
    "misspelt knob": (("--batch", "iter4", "--set", "dropot=0.2"), "dropot"),
    "setting without =": ((*TRAIN, "--set", "epochs"), "expected KEY=VALUE"),
    "setting without a key": ((*TRAIN, "--set", "=1"), "setting"),
    "impossible target": ((*TRAIN, "--set", "target.test_accuracy=2"), "target.test_accuracy"),
    "unknown data set": ((*TRAIN, "--dataset", "mnits"), "digits"),
    "unknown device": ((*TRAIN, "--device", "foo"), "--device foo: must be auto, cpu, cuda"),
    "a CPU by number": ((*TRAIN, "--device", "cpu:7"), "--device cpu:7: must be auto, cpu, cuda"),
}


@pytest.mark.parametrize(("arguments", "says"), ARGUMENTS.values(), ids=ARGUMENTS)
def test_a_wrong_argument_is_one_line_and_exit_code_2(arguments: tuple[str, ...], says: str, command: Command) -> None:
    """It says what is wrong or what was meant; nothing is trained or written."""
    answer = command(*arguments)

    assert answer.is_refusal, answer
    assert says in answer.err[0]
    assert answer.code == 2


def _layers(*lines: str, rest: str = "") -> str:
    return "layers = '''\n" + "\n".join(lines) + f"\n'''\n{rest}"


def _train(line: str) -> str:
    return f"{_layers('Flatten()', 'Linear(10)')}[train]\n{line}\n"


CANARY = "__import__('pathlib').Path('canary').touch()"

FILES: dict[str, tuple[str, list[str]]] = {
    "empty": ("", ["layers", "missing"]),
    "no TOML": ("layers = Conv2d(8, 3)", ["bad.toml", "line 1"]),
    "unknown key": (_layers("Flatten()", "Linear(10)", rest="tile = 'x'"), ["line 5", "tile", "did you mean 'title'?"]),
    "unknown table": (_layers("Flatten()", "Linear(10)", rest="[trian]\n"), ["trian", "did you mean 'train'?"]),
    "unknown key in a table": (_train("epoch = 3"), ["line 6", "train.epoch", "did you mean 'epochs'?"]),
    "unknown layer": (_layers("Conv2D(8, 3)"), ["line 2", "'Conv2D'", "did you mean 'Conv2d'?"]),
    "unknown argument": (_layers("Conv2d(8, 3, pading=1)"), ["line 2", "'pading'", "did you mean 'padding'?"]),
    "missing argument": (_layers("Conv2d(8)"), ["line 2", "kernel_size"]),
    "too many arguments": (_layers("ReLU(1, 2, 3)"), ["line 2", "ReLU"]),
    "shape too small": (_layers("MaxPool2d(14)", "Conv2d(8, 3)"), ["line 3", "Conv2d", "2 pixels of the input"]),
    "shape not flat": (_layers("ReLU()", "Linear(10)"), ["line 3", "Linear", "shape [1, 28, 28]"]),
    "shape flat already": (_layers("Flatten()", "Conv2d(8, 3)"), ["line 3", "Conv2d", "shape [784]"]),
    "wrong channels": (_layers("Conv2d(8, 3)", "BatchNorm2d(9)"), ["line 3", "BatchNorm2d", "the input has 8"]),
    "no ten scores": (_layers("Flatten()", "Linear(9)"), ["line 3", "[9]", "[10]"]),
    "10^12 parameters": (_layers("Flatten()", "Linear(1000000000000)"), ["line 3", "parameters", "200,000,000"]),
    "10^12 parameters by knobs": (
        _layers("Flatten()", "Linear(big*big)", "Linear(10)", rest="[knobs]\nbig = 1000000"),
        ["line 3", "parameters", "200,000,000"],
    ),
    "activations without end": (_layers("Upsample(scale_factor=1000)"), ["line 2", "activations"]),
    "a thousand layers": (_layers(*["ReLU()"] * 1_000, "Flatten()", "Linear(10)"), ["layers", "500"]),
    "batch size 0": (_train("batch_size = 0"), ["line 6", "train.batch_size", "1, got 0"]),
    "batch size 10^9": (_train("batch_size = 1_000_000_000"), ["line 6", "train.batch_size", "60000"]),
    "batch of 100 GB": (
        _layers("Conv2d(400, 3)", "Flatten()", "Linear(10)", rest="[train]\nbatch_size = 60000"),
        ["train.batch_size", "GB"],
    ),
    "lr nan": (_train('optimizer = "Adam(lr=nan)"'), ["line 6", "train.optimizer", "'nan'"]),
    "lr 1e400": (_train('optimizer = "Adam(lr=1e400)"'), ["line 6", "train.optimizer", "too large"]),
    "normalize nan": (_train("normalize = [0, nan]"), ["line 6", "train.normalize"]),
    "epochs -1": (_train("epochs = -1"), ["line 6", "train.epochs", "1, got -1"]),
    "epochs no number": (_train("epochs = 1e"), ["line 6: epochs: cannot read '1e'; enter a number such as 20"]),
    "epochs nothing": (_train("epochs ="), ["line 6: epochs: enter a number such as 20"]),
    "a knob no number": (
        _layers("Dropout(a)", "Flatten()", "Linear(10)", rest="[knobs]\na = 0.0.1"),
        ["line 7: a: cannot read '0.0.1'; enter a number such as 0.001"],
    ),
    "lr no number": (_train('optimizer = "Adam(lr=0.0.1)"'), ["line 6", "'0.0.1' is not a number; enter one such as"]),
    "an argument no number": (
        _layers("Dropout(0.1.)", "Flatten()", "Linear(10)"),
        ["line 2", "'0.1.' is not a number"],
    ),
    "epochs a word": (_train('epochs = "20"'), ["line 6", "train.epochs", "whole number"]),
    "optimizer a number": (_train("optimizer = 3"), ["line 6", "train.optimizer", "call in quotes"]),
    "train a number": (_layers("Flatten()", "Linear(10)", rest="train = 3"), ["line 5", "train", "a table"]),
    "knobs that recurse": (
        _layers("Flatten()", "Linear(a)", rest='[knobs]\na = "b"\nb = "a"'),
        ["line 6", "knobs.a", "finite number", "'b'"],
    ),
    "a knob of nothing": (_layers("Flatten()", "Linear(width)"), ["line 3", "'width'"]),
    "a knob unused": (_layers("Flatten()", "Linear(10)", rest="[knobs]\na = 1"), ["line 6", "knobs.a"]),
    "a knob nan": (_layers("Dropout(a)", "Flatten()", "Linear(10)", rest="[knobs]\na = nan"), ["line 7", "knobs.a"]),
    "a knob 10^400": (_layers("Flatten()", "Linear(a)", rest=f"[knobs]\na = {10**400}"), ["knobs", "finite number"]),
    "division by zero": (_layers("Flatten()", "Linear(1//a)", rest="[knobs]\na = 0"), ["line 3", "zero"]),
    "a power": (_layers("Flatten()", "Linear(9**9**9)"), ["line 3", "not allowed"]),
    "a call of os": (_layers("__import__('os')"), ["line 2", "__import__"]),
    "a call that writes": (_layers(CANARY), ["line 2", "not allowed"]),
    "a call in an argument": (_layers(f"Conv2d({CANARY}, 3)"), ["line 2", "not allowed"]),
    "a call in an f-string": (_layers("Conv2d(f'{" + CANARY.replace("'", '"') + "}', 3)"), ["line 2", "not allowed"]),
    "a call in a lambda": (_layers(f"(lambda: {CANARY})()"), ["line 2", "not allowed"]),
    "a call in the recipe": (_train(f'optimizer = "Adam(lr={CANARY})"'), ["line 6", "not allowed"]),
    "a statement": (_layers("import os"), ["line 2", "statement"]),
}


@pytest.mark.parametrize(("text", "says"), FILES.values(), ids=FILES)
def test_a_wrong_file_is_one_line_that_names_file_and_line(
    text: str, says: list[str], work: Path, command: Command
) -> None:
    """Unknown words, shapes that do not fit, sizes that no machine holds, code: nothing of it runs."""
    (work / "bad.toml").write_text(text)

    answer = command("--batch", "bad.toml", "--dataset", "digits", "--device", "cpu")

    assert answer.is_refusal, answer
    assert [word for word in ["bad.toml", *says] if word not in answer.err[0]] == []
    assert answer.code == 2
    assert not (work / "canary").exists()


@pytest.mark.parametrize("names", [["bad.toml"], ["good.toml", "bad.toml"]], ids=["alone", "after a good one"])
def test_a_network_without_weights_keeps_every_run_from_starting(
    names: list[str], work: Path, command: Command
) -> None:
    """Its shapes fit, but there is nothing to train: seen, and named, before the first of several runs trains."""
    (work / "bad.toml").write_text("layers = '''\nAdaptiveAvgPool2d((2, 5))\nFlatten()\n'''")

    answer = command("--batch", *names, "--dataset", "digits", "--device", "cpu")

    assert answer.is_refusal, answer
    assert "bad" in answer.err[0]
    assert "nothing to train" in answer.err[0]
    assert answer.code == 2


BOMBS: dict[str, bytes] = {
    "1 MB": b"# " + b"x" * 1_000_000,
    "1 MB of keys": b"".join(b"k%d = 1\n" % number for number in range(100_000)),
    "binary garbage": bytes(range(256)) * 64,
    "zeros": bytes(4_096),
    "an image": b"\x89PNG\r\n\x1a\n" + bytes(range(256)),
    "UTF-16": GOOD.encode("utf-16"),
    "dotted key of 60 KB": b"a" + b".a" * 30_000 + b" = 1",
    "dotted keys of 900 parts": b"".join(b"a" + b".b%d" % number * 900 + b" = 1\n" for number in range(10)),
    "dotted tables": b"".join(b"[a" + b".a" * 900 + b".b%d]\n" % number for number in range(30)),
    "dots in many lines": b"".join(b"k%d" % number + b".a" * 900 + b" = 1\n" for number in range(33)),
    "nested arrays": b"a = " + b"[" * 30_000 + b"]" * 30_000,
    "nested tables": b"a = " + b"{a=" * 15_000 + b"1" + b"}" * 15_000,
    "endless number": b"a = " + b"9" * 60_000,
    "endless hexadecimal": b"a = 0x" + b"f" * 60_000,
    "a number, spaces and a word": b"a = 9" + b" " * 60_000 + b"x",
    "endless knob": b"layers='Linear(a)'\nknobs.a = " + b"9" * 4_000,
    "endless text": b'layers = "' + b"(" * 60_000 + b'"',
    "nested brackets": b"layers = '" + b"(" * 3_000 + b")" * 3_000 + b"'",
    "nested minus": b"layers = 'Conv2d(" + b"-" * 30_000 + b"1, 3)'",
    "nested sums": b"layers = 'Conv2d(" + b"1+" * 15_000 + b"1, 3)'",
    "nested residuals": b"layers = '" + b"Residual(" * 40 + b"ReLU()" + b")" * 40 + b"'",
    "a long line of ReLUs": b"layers = '''\n" + b"ReLU\n" * 12_000 + b"'''",
}


def _limit_memory() -> None:
    resource.setrlimit(resource.RLIMIT_AS, (1 << 30, 1 << 30))


@pytest.mark.slow
@pytest.mark.parametrize("content", BOMBS.values(), ids=BOMBS)
@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # preexec_fn in a process with threads.
def test_a_bomb_is_refused_in_seconds_and_within_a_gigabyte(content: bytes, work: Path) -> None:
    """In a process of its own, with 1 GB of address space: Python's TOML parser can be made to need far more."""
    (work / "bad.toml").write_bytes(content)

    done = subprocess.run(
        [sys.executable, "-m", "mnist_tui", "show", "bad.toml"],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        timeout=60,
        check=False,
        preexec_fn=_limit_memory,
    )

    assert (done.returncode, done.stdout) == (2, b"")
    assert done.stderr.startswith(b"mnist-tui: bad.toml")
    assert done.stderr.count(b"\n") == 1
    assert sorted(path.name for path in work.iterdir()) == ["bad.toml", "good.toml"]


def _folder(path: Path) -> None:
    path.mkdir()


def _pipe(path: Path) -> None:
    os.mkfifo(path)


def _link_to_itself(path: Path) -> None:
    path.symlink_to(path)


def _link_to_nothing(path: Path) -> None:
    path.symlink_to("nowhere")


def _link_to_endless(path: Path) -> None:
    path.symlink_to("/dev/zero")


@pytest.mark.parametrize("make", [_folder, _pipe, _link_to_itself, _link_to_nothing, _link_to_endless])
@pytest.mark.timeout(60)
def test_what_is_no_file_is_no_preset(make: Callable[[Path], None], work: Path, command: Command) -> None:
    """A folder, a pipe that nobody writes to, a link in a circle: none is read, none is waited for."""
    make(work / "bad.toml")

    answer = command("--batch", "bad.toml")

    assert answer.is_refusal, answer
    assert "bad.toml: " in answer.err[0]
    assert answer.code == 2


@pytest.mark.parametrize("arguments", [("--list",), ("--batch", "iter5"), ("show", "iter5")])
def test_two_presets_of_one_name_are_both_named(arguments: tuple[str, ...], work: Path, command: Command) -> None:
    """Two presets of one name are refused with both files."""
    (work / "models").mkdir()
    (work / "models" / "iter5.toml").write_text(GOOD)

    answer = command(*arguments)

    assert answer.is_refusal, answer
    assert answer.err[0].count("iter5.toml") == 2
    assert answer.code == 2


# --- text from outside ------------------------------------------------------------------------------------------------

RED = f"{ESCAPE}[31m\x07\x9b31m\u202e[bold]x[/bold]\n"


@pytest.mark.parametrize(
    "arguments",
    [
        (RED,),
        ("--batch", RED),
        ("--batch", RED + ".toml"),
        ("show", RED + "/x.toml"),
        (f"--{RED}",),
        (*TRAIN, "--set", RED),
        (*TRAIN, "--set", f"{RED}=1"),
        (*TRAIN, "--set", f"epochs={RED}"),
        (*TRAIN, "--set", f"optimizer.lr={RED}"),
        (*TRAIN, "--set", f"optimizer.{RED}=1"),
        (*TRAIN, "--set", f"optimizer={RED}"),
        (*TRAIN, "--set", f"precision={RED}"),
        (*TRAIN, "--epochs", RED),
        (*TRAIN, "--seeds", RED),
        (*TRAIN, "--dataset", RED),
        (*TRAIN, "--device", RED),
        (*TRAIN, "--device", f"cuda:{RED}"),
        ("--list", "--models", RED),
        ("resume", RED),
    ],
)
def test_an_argument_cannot_drive_the_terminal(arguments: tuple[str, ...], command: Command) -> None:
    """Whatever is quoted back is text: no escape, no bell, nothing right to left, and still one line."""
    answer = command(*arguments)

    assert len(answer.err) == 1
    assert not set(answer.out + answer.err[0]) & set(f"{ESCAPE}\x07\x9b\u202e")
    assert answer.code in (2, 3)


TOML_RED = "\\u001b[31m\\u0007\\u009b31m\\u202e[bold]x[/bold]"

LOUD_FILES = {
    "title": f'title = "{TOML_RED}"\n' + GOOD,
    "source": f'source = "{TOML_RED}"\n' + GOOD,
    "comment in a layer": GOOD.replace("'''", '"""').replace("Conv2d(2,", f"Conv2d(2, # {TOML_RED}\n"),
    "reported": f'{GOOD}[reported]\naccuracy = 0.5\nmeasured_on = "{TOML_RED}"\nnotes = ["{TOML_RED}"]\n',
    "layer": GOOD.replace("'''", '"""').replace("ReLU", TOML_RED),
    "layer in quotes": GOOD.replace("'''", '"""').replace("stride=2", f"padding_mode='{TOML_RED}'"),
    "key": f'"{TOML_RED}" = 1\n' + GOOD,
    "key in a table": f'{GOOD}"{TOML_RED}" = 1\n',
    "knob": f'{GOOD}[knobs]\n"{TOML_RED}" = 1\n',
    "value": GOOD.replace("= 64", f'= "{TOML_RED}"'),
    "optimizer": GOOD.replace("Adam", TOML_RED),
    "raw": GOOD.replace("ReLU", ESCAPE),
    "raw key": f"{ESCAPE} = 1\n{GOOD}",
}


@pytest.mark.slow
@pytest.mark.parametrize(
    "arguments",
    [
        ("show",),
        ("show", "--json"),
        ("show", "--torchsummary"),
        ("--dry-run", "--batch"),
        ("--json", "--dry-run", "--batch"),
        ("--dataset=digits", "--batch"),
        ("--dataset=digits", "--json", "--batch"),
    ],
    ids=" ".join,
)
def test_a_file_cannot_drive_the_terminal(arguments: tuple[str, ...], work: Path, command: Command) -> None:
    """Titles, notes, comments, keys and values of a preset come out as text, whether it is refused or not."""
    shown = {}
    for where, text in LOUD_FILES.items():
        (work / "loud.toml").write_text(text)
        answer = command(*arguments, "loud.toml")
        shown[where] = answer.out + "".join(answer.err)

    assert len(shown) == len([text for text in shown.values() if text])
    assert [where for where, text in shown.items() if set(text) & set(f"{ESCAPE}\x07\x9b\u202e")] == []


def test_a_folder_cannot_drive_the_terminal(work: Path, command: Command) -> None:
    """Control characters in the name of a runs directory are not printed."""
    answer = command(*TRAIN, "--runs-dir", f"{ESCAPE}[31mred")

    assert answer.code == 0
    assert ESCAPE not in answer.out + "".join(answer.err)


# --- what the machine lacks -------------------------------------------------------------------------------------------


def _cuda_is_absent() -> bool:
    import torch

    return not torch.cuda.is_available()


@pytest.mark.parametrize("extra", [(), ("--dry-run",)], ids=["run", "dry run"])
@pytest.mark.parametrize("device", ["cuda", "cuda:99"])
def test_a_device_that_is_absent_says_why(device: str, extra: tuple[str, ...], command: Command) -> None:
    """Built without CUDA, no GPU visible, or not so many of them; exit code 3, since another machine may do."""
    if device == "cuda" and not _cuda_is_absent():
        device = "cuda:98"

    answer = command(*TRAIN, *extra, "--device", device)

    assert answer.is_refusal, answer
    assert f"--device {device}: " in answer.err[0]
    assert any(why in answer.err[0] for why in ("without CUDA", "no CUDA GPU is visible", "there are only"))
    assert "--device auto" in answer.err[0]
    assert answer.code == 3


def test_a_required_mnist_that_cannot_be_had_says_what_to_do(work: Path, command: Command) -> None:
    """Neither in a folder nor to be fetched: the places that were looked in, and both ways out."""
    answer = command("--batch", "good.toml", "--device", "cpu", "--dataset", "mnist", "-q", "--data-dir", "nodata")

    assert (len(answer.err), answer.out, answer.written) == (1, "", [])
    for word in ("nodata", "--data-dir", "MNIST_TUI_DATA_DIR", "--dataset digits"):
        assert word in answer.err[0]
    assert answer.code == 3


def test_without_mnist_the_fall_back_cannot_be_missed(work: Path, command: Command) -> None:
    """A banner on stderr, also with -q; the record says digits; the run is good."""
    answer = command("--batch", "good.toml", "--device", "cpu", "-q")

    record = json.loads(next(work.glob("runs/*/run.json")).read_text())
    rules = [index for index, line in enumerate(answer.err) if set(line) == {"!"}]
    banner = answer.err[rules[0] + 1 : rules[1]]

    assert banner[0].startswith("NOT MNIST.")
    assert max(map(len, banner)) <= 78
    assert record["dataset"]["name"] == "digits"
    assert answer.code == 0


@pytest.mark.parametrize("damage", ["empty", "short", "other bytes", "folder", "pipe"])
@pytest.mark.timeout(60)
def test_damaged_mnist_is_never_replaced_by_digits(damage: str, work: Path, command: Command) -> None:
    """Files that are there and are not the real ones end the run, with `auto` too; they are named."""
    raw = work / "data" / "MNIST" / "raw"
    raw.mkdir(parents=True)
    for name in ("train-images-idx3", "train-labels-idx1", "t10k-images-idx3", "t10k-labels-idx1"):
        path = raw / f"{name}-ubyte"
        size = {"empty": 0, "short": 1_000, "other bytes": 60_008}.get(damage)
        if size is not None:
            path.write_bytes(bytes(size))
        else:
            {"folder": _folder, "pipe": _pipe}[damage](path)

    answer = command("--batch", "good.toml", "--device", "cpu")

    assert answer.is_refusal, answer
    assert "train-images-idx3-ubyte" in answer.err[0]
    assert answer.code == 3


@pytest.mark.parametrize("place", ["file", "file/below", "/dev/null/runs", "/proc/runs"])
def test_a_runs_folder_that_cannot_be_written_is_named(place: str, work: Path, command: Command) -> None:
    """A file in its place, or no folder to make it in; the way out is named too."""
    (work / "file").write_text("mine")

    answer = command(*TRAIN, "-q", "--runs-dir", place)

    assert answer.is_refusal, answer
    assert place in answer.err[0]
    assert "--runs-dir" in answer.err[0]
    assert answer.code == 3


# --- runs that cannot be resumed --------------------------------------------------------------------------------------


@pytest.fixture
def run_folder(work: Path, command: Command) -> Path:
    """The folder of a run whose process died before end.json."""
    command(*TRAIN)
    folder = next(work.glob("runs/*"))
    (folder / "end.json").unlink()
    return folder


def test_control_an_undamaged_run_is_resumed(run_folder: Path, command: Command) -> None:
    """Control for the refusals below: the undamaged run is resumed."""
    answer = command("resume", str(run_folder), "--device", "cpu")

    assert answer.code == 0
    assert json.loads((run_folder / "end.json").read_text())["outcome"] == "completed"


DAMAGES: dict[str, tuple[str, bytes | None]] = {
    "no run.json": ("run.json", None),
    "empty run.json": ("run.json", b""),
    "garbage": ("run.json", bytes(range(256))),
    "half of it": ("run.json", b'{"format": 1, "spec": {"layers": "Flatt'),
    "a list": ("run.json", b"[]"),
    "no spec": ("run.json", b"{}"),
    "a spec that is none": ("run.json", b'{"spec": 3}'),
    "another network": ("run.json", b'{"spec": {"layers": "Linear(10)"}}'),
    "code": ("run.json", b'{"spec": {"layers": "__import__(\'os\')"}}'),
    "deep": ("run.json", b"[" * 100_000),
    "an escape": ("run.json", b'{"spec": {"layers": "\\u001b[31m\\n"}}'),
    "end.json garbage": ("end.json", b"\x00\x01"),
    "end.json a list": ("end.json", b"[]"),
}


@pytest.mark.parametrize(("name", "content"), DAMAGES.values(), ids=DAMAGES)
def test_a_damaged_run_is_not_resumed(name: str, content: bytes | None, run_folder: Path, command: Command) -> None:
    """The file is named, and the folder stays as it was."""
    path = run_folder / name
    path.unlink(missing_ok=True)
    if content is not None:
        path.write_bytes(content)

    answer = command("resume", str(run_folder), "--device", "cpu")

    assert answer.is_refusal, answer
    assert name in answer.err[0]
    assert ESCAPE not in answer.err[0]
    assert answer.code == (2 if content is None else 3)  # Without a run.json it is no run.


@pytest.mark.parametrize("make", [_folder, _pipe, _link_to_itself, _link_to_nothing])
@pytest.mark.parametrize("name", ["run.json", "history.jsonl", "end.json"])
@pytest.mark.timeout(60)
def test_a_run_of_other_things_than_files_ends_in_one_line(
    name: str, make: Callable[[Path], None], run_folder: Path, command: Command
) -> None:
    """Nothing hangs and nothing is a traceback; a link that leads nowhere counts as no file."""
    (run_folder / name).unlink(missing_ok=True)
    make(run_folder / name)

    answer = command("resume", str(run_folder), "--device", "cpu", "-q")

    assert (answer.code, len(answer.err)) in ((2, 1), (3, 1), (0, 0))
    assert "internal error" not in "".join(answer.err)


def test_a_completed_run_has_nothing_to_resume(command: Command, work: Path) -> None:
    """Resuming a completed run is an error, and trains nothing."""
    command(*TRAIN)

    answer = command("resume", str(next(work.glob("runs/*"))))

    assert answer.is_refusal, answer
    assert "completed" in answer.err[0]
    assert answer.code == 2


@pytest.mark.parametrize("place", [[], ["."], ["nosuch"], ["good.toml"], ["--runs-dir", "nosuch"]], ids=" ".join)
def test_a_folder_without_runs_has_nothing_to_resume(place: list[str], command: Command) -> None:
    """The error names the folder that holds no runs."""
    answer = command("resume", *place)

    assert answer.is_refusal, answer
    assert f"mnist-tui: {place[-1] if place else 'runs'}: " in answer.err[0]
    assert answer.code == 2


def test_our_own_mistake_is_one_line_and_the_traceback_a_file(
    tmp_path: Path, command: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An error that nobody foresaw: exit code 1, and the place of the log."""

    def fail(*arguments: object) -> int:
        raise ZeroDivisionError("oops" + ESCAPE)

    monkeypatch.setattr(start, "list_presets", fail)

    answer = command("--list")

    log = next((tmp_path / "home").rglob("crash.log"))
    assert len(answer.err) == 1
    assert "internal error: ZeroDivisionError: oops\ufffd" in answer.err[0]
    assert str(log) in answer.err[0]
    assert "Traceback" in log.read_text()
    assert answer.code == 1


def test_a_full_disk_elsewhere_is_not_taken_for_the_output(
    tmp_path: Path, command: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An error that names no file, but was not raised by printing."""

    def fail(*arguments: object) -> int:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(start, "list_presets", fail)

    answer = command("--list")

    assert "internal error: OSError" in answer.err[0]
    assert answer.code == 1


@pytest.mark.parametrize(
    "arguments",
    [
        ("import", "closed/train.log"),
        ("import", "closed/events.out.tfevents.1"),
        ("show", "closed/model.py:Net"),
        ("--list", "--models", "closed/models"),
        ("brief", "--briefs", "closed/briefs"),
        ("restore", "--runs-dir", "closed/runs"),
        ("doctor", "--runs-dir", "closed/runs"),
    ],
    ids=" ".join,
)
def test_what_the_machine_forbids_is_one_line_with_the_file(
    arguments: tuple[str, ...], command: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A file below a folder that belongs to somebody else: nobody can ask whether it is there."""
    stat = os.stat

    def refuse(path: Any, *more: Any, **named: Any) -> os.stat_result:
        if str(path).startswith("closed"):
            raise PermissionError(errno.EACCES, "Permission denied", str(path))
        return stat(path, *more, **named)

    monkeypatch.setattr(os, "stat", refuse)

    answer = command(*arguments)

    said = "".join([*answer.err, answer.out]) if arguments[0] == "doctor" else answer.err[0]
    assert "Permission denied" in said or "is not writable" in said
    assert arguments[-1].partition(":")[0] in said
    assert "internal error" not in said
    assert answer.code == 3
