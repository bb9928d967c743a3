"""Random keys, clicks and sizes of the terminal, on every screen, with and without runs: no exception (T8)."""

from collections.abc import Sequence
from functools import partial
from pathlib import Path

from helpers.lab_terminal import PRESET, Lab
from helpers.saved_runs import make_run

from mnist_tui.spec import presets
from stress_parts.frame import Case, Part, Trial

KEYS = (
    *"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.,:;/?!+-_=()[]<>*# ",
    *("\x1b", "\r", "\t", "\x1b[Z", "\x7f", "\x1b[3~"),
    *(f"\x1b[{letter}" for letter in "ABCDHF"),
    *(f"\x1b[1;5{letter}" for letter in "ABCDHF"),
    *("\x1b[5~", "\x1b[6~", "\x1bOP", "\x1bOQ", "\x1bOR", "\x1bOS"),
    *(f"\x1b[{number}~" for number in (15, 17, 18, 19, 20, 21, 23, 24)),
    *(chr(number) for number in range(1, 27) if number not in (3, 26)),  # Ctrl-C aborts, Ctrl-Z stops the process.
)
OFTEN = ("1", "2", "3", "4", "5", "\x1b", "\t", "\r", "t", "s", "?")
"""Keys that lead to other places."""
FAILING = """
from mnist_tui.tui import help
def fail(*arguments):
    raise RuntimeError("sabotaged")
help.sections = fail
"""
KEYS_A_CASE = 100


class _Monkey:
    """A laboratory that is opened again whenever a key has closed it."""

    def __init__(self, trial: Trial, folder: Path, has_runs: bool) -> None:
        self._random, self._before = trial.random, trial.sabotage or ""
        self._folder = folder
        folder.mkdir()
        (folder / "tiny.toml").write_text(PRESET.format(epochs=2))
        if has_runs:
            for index in range(5):
                make_run(folder / "runs", presets.load("iter5"), index, index=index)
        self._lab: Lab | None = None
        self.keys = self.opened = 0
        trial.exits.callback(self.close)

    def play(self) -> None:
        """So many random keys, clicks and sizes; raises where the program has ended by an error."""
        lab = self._open()
        for _ in range(KEYS_A_CASE):
            if lab.process.poll() is not None:
                self._end()
                lab = self._open()
            self._act(lab)
            lab.read_for(self._random.choice([0, 0, 0.005, 0.03]))
            self.keys += 1
        lab.read_for(0.5)
        if lab.process.poll() is not None:
            self._end()

    def _act(self, lab: Lab) -> None:
        kind = self._random.random()
        if kind < 0.06:
            column, row = self._random.randrange(1, 130), self._random.randrange(1, 45)
            button = self._random.choice([0, 0, 2, 64, 65])
            lab.press(f"\x1b[<{button};{column};{row}M" + ("" if button > 2 else f"\x1b[<{button};{column};{row}m"))
        elif kind < 0.08:
            lab.resize(*self._random.choice([(80, 24), (120, 40), (200, 60), (20, 5), (1, 1), (300, 20)]))
        else:
            lab.press(self._random.choice(OFTEN if kind < 0.3 else KEYS))

    def _open(self) -> Lab:
        if self._lab is None:
            arguments = ("--preset", "tiny.toml", "--dataset", "digits", "--device", "cpu", "--threads", "1")
            env = {f"XDG_{kind}_HOME": str(self._folder / "home") for kind in ("STATE", "CONFIG", "CACHE")}
            self._lab = Lab(
                self._folder, *arguments, before=self._before, size=(120, 40), warm=True, EDITOR="true", **env
            )
            self._lab.wait(lambda: self._lab and self._lab.output.count(b"\x1b[?1049h") > 0)
            self.opened += 1
        return self._lab

    def _end(self) -> None:
        """The program was left by a key, which is no error; anything else is."""
        assert self._lab is not None
        code, said = self._lab.ended(), self._lab.output[-2_000:].decode(errors="replace")
        self.close()
        assert code in (0, 130), f"exit code {code} after {self.keys} keys: {said}"
        assert "internal error" not in said, said

    def close(self) -> None:
        """Ends the program."""
        if self._lab is not None:
            self._lab.close()
        self._lab = None


def _play(monkeys: Sequence[_Monkey], index: int) -> str:
    monkeys[index % len(monkeys)].play()
    return (
        f"{sum(each.keys for each in monkeys):,} keys, clicks and sizes; {sum(each.opened for each in monkeys)} starts"
    )


def cases(trial: Trial) -> list[Case]:
    """Bursts in a laboratory without runs, and in one with some."""
    monkeys = [_Monkey(trial, trial.folder / name, name == "runs") for name in ("empty", "runs")]
    return [Case(f"burst {index + 1}", partial(_play, monkeys, index)) for index in range(trial.size)]


PART = Part(cases, full=50, quick=4, controls={"a key that fails": FAILING})
