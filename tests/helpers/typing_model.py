"""Random keys for a text field of the laboratory in a terminal, and the text that a plain field would then hold."""

import json
import random
import time
from dataclasses import dataclass, field
from pathlib import Path

from helpers.lab_terminal import Lab
from mnist_tui.spec import presets
from mnist_tui.spec.draft import Draft

KEYS = {
    "left": "\x1b[D",
    "right": "\x1b[C",
    "home": "\x1b[H",
    "end": "\x1b[F",
    "backspace": "\x7f",
    "delete": "\x1b[3~",
}
F3, F4, DOWN, ESCAPE = "\x1bOR", "\x1bOS", "\x1b[B", "\x1b"
CHARACTERS = "0123456789.,=abcxyzABC_'()+-"


@dataclass
class PlainText:
    """A text with a cursor, as every text field has them."""

    text: str = ""
    cursor: int = 0
    preset: str = ""
    """The text that the preset has here; it is not kept with the design."""

    def press(self, key: str) -> None:
        """One of `KEYS`, or a character."""
        before, after = self.text[: self.cursor], self.text[self.cursor :]
        match key:
            case "left":
                self.cursor = max(0, self.cursor - 1)
            case "right":
                self.cursor = min(len(self.text), self.cursor + 1)
            case "home":
                self.cursor = before.rfind("\n") + 1
            case "end":
                self.cursor = len(before) + len(after.partition("\n")[0])
            case "backspace":
                self.text, self.cursor = before[:-1] + after, max(0, self.cursor - 1)
            case "delete":
                self.text = before + after[1:]
            case _:
                self.text, self.cursor = before + key + after, self.cursor + 1


@dataclass
class Typist:
    """Types at a laboratory on iter5, and knows what each place should then hold."""

    lab: Lab
    state: Path
    """The folder of the program's state, where the design is kept."""
    chance: random.Random
    slowest: float = 0.03
    """Seconds between two keys, at most; every second burst has none."""
    typed: int = 0
    texts: dict[str, PlainText] = field(default_factory=dict)

    FIELDS = (
        "epochs", "batch_size", "seed", None, "optimizer.lr", "optimizer.betas", "optimizer.eps",
        "optimizer.weight_decay", None, None, None, None, "scheduler.step_size", "scheduler.gamma", None, "augment",
    )  # fmt: skip
    """The fields of the form in their order; None for a choice."""

    def type_somewhere(self, count: int = 40) -> dict[str, tuple[str, str]]:
        """Goes to a field, to the layers or to a dialog and types; what is wrong then."""
        place = self.chance.random()
        if place < 0.15:
            return self.type_into_dialog(count // 3)
        base = presets.load("iter5")
        if place < 0.4:
            self.type_into_editor(base.layers, count)
        else:
            path = self.chance.choice([path for path in self.FIELDS if path])
            self.type_into_field(path, Draft(base).text_of(path), count)
        return self.wrong_places()

    def type_into_field(self, path: str, first: str, count: int) -> None:
        """Goes to a field of the form and types; `first` is what stands there before the first time."""
        text = self.texts.setdefault(path, PlainText(first, preset=first))
        self._leave_field()
        self.lab.press(F4 + DOWN * self.FIELDS.index(path) + KEYS["end"])
        text.cursor = len(text.text)
        self._type(text, count, tuple(KEYS))

    def type_into_editor(self, first: str, count: int) -> None:
        """Goes to the layers, where the cursor is still where it was, and types."""
        text = self.texts.setdefault("layers", PlainText(first, preset=first))
        self.lab.press(F3)
        # The right arrow would take a completion.
        self._type(text, count, ("left", "home", "end", "backspace", "delete", "\n"))

    def type_into_dialog(self, count: int) -> dict[str, tuple[str, str]]:
        """Opens the dialog for a new knob and types in both of its fields, without waiting; what is wrong then."""
        self._leave_field()
        name, value = PlainText(), PlainText()
        self.lab.press("n")
        self._type(name, count, tuple(KEYS))
        self.lab.press(DOWN)
        self._type(value, count, tuple(KEYS))
        self.read(0.3)
        end = time.monotonic() + 10
        while (missing := [text for text in (name, value) if text.text not in self.lab.text()]) and (
            time.monotonic() < end
        ):
            self.read(0.1)
        shown = self.lab.text()
        self.lab.press(ESCAPE)
        self.read(0.3)
        return {text.text: (shown, text.text) for text in missing}

    def _leave_field(self) -> None:
        self.lab.press(ESCAPE)
        self.read(0.3)  # A character that comes at once makes another key of an escape.
        self.lab.wait_for(" t Train")

    def _type(self, text: PlainText, count: int, special: tuple[str, ...]) -> None:
        slowest = self.slowest * self.chance.randint(0, 1)
        for _ in range(count):
            # As many deletions as insertions, about: texts stay short enough to be read on the screen.
            key = self.chance.choice(special) if self.chance.random() < 0.6 else self.chance.choice(CHARACTERS)
            key = "backspace" if len(text.text) > 30 and "\n" not in text.text and len(key) == 1 else key
            text.press(key)
            self.lab.press({"\n": "\r"}.get(key, KEYS.get(key, key)))
            self.read(self.chance.uniform(0, slowest))
        self.typed += count

    def read(self, seconds: float) -> None:
        """Reads output for so many seconds."""
        end = time.monotonic() + seconds
        while (rest := end - time.monotonic()) > 0:
            self.lab.read(min(rest, 0.01))

    def wrong_places(self, seconds: float = 10) -> dict[str, tuple[str, str]]:
        """The places that hold another text than they should: what they hold, and what they should.

        The design is on the disk a second after the last change, or later where the machine is busy.
        """
        end = time.monotonic() + seconds
        while (wrong := self._differing()) and time.monotonic() < end:
            self.read(0.2)
        return wrong

    def _differing(self) -> dict[str, tuple[str, str]]:
        path = self.state / "mnist-tui" / "last.json"
        kept = json.loads(path.read_text()) if path.exists() else {"typed": {}, "layers": None}
        texts = kept["typed"] | ({} if kept["layers"] is None else {"layers": kept["layers"]})
        held = {path: texts.get(path, plain.preset) for path, plain in self.texts.items()}
        return {path: (held[path], text.text) for path, text in self.texts.items() if held[path] != text.text}
