"""Texts that are hard to set in columns: tables stay aligned, and nothing reorders or hides what is beside them."""

import unicodedata
from pathlib import Path

import pytest
from helpers.command import Command
from helpers.saved_runs import make_run
from rich.cells import cell_len

from mnist_tui.runs.annotations import write_tags
from mnist_tui.spec import presets
from mnist_tui.table import MAX_CELL, aligned, cut_apart
from mnist_tui.text import cell_width, clean_line, fitted

TEXTS = {
    "long": "x" * 300,
    "wide": "数字" * 3,
    "half-width": "ｱｲｳ",
    "Hebrew": "שלום עולם",
    "Arabic": "مرحبا",
    "right-to-left override": "a\u202eb\u202cc",
    "combining marks": "e\u0301a\u0308\u0323",
    "thirty marks": "z" + "\u0301" * 30,
    "Thai": "ที่นี่",
    "Devanagari": "क्षि",
    "jamo": "\u1112\u1161\u11ab",
    "emoji": "🎉",
    "a family of joined emoji": "👨\u200d👩\u200d👧",
    "a skin tone": "👍🏽",
    "a flag": "🇩🇪",
    "a heart with a variation selector": "❤\ufe0f",
    "a keycap": "1\ufe0f\u20e3",
    "joined letters": "a\u200db",
    "a space of no width": "a\u200bb",
    "a soft hyphen": "a\u00adb",
    "an escape": "\x1b[31mred\x07",
    "a tab and a line": "a\tb\nc",
}


@pytest.mark.parametrize("text", TEXTS.values(), ids=TEXTS)
def test_columns_stay_aligned(text: str) -> None:
    """The second column begins in one cell of every line, by the widths that the dashboard's library measures."""
    lines = aligned([["first", "|"], [text, "|"], ["longer than most", "|"]], [False, False])

    assert len({cell_len(line.rpartition("|")[0]) for line in lines}) == 1


@pytest.mark.parametrize("text", TEXTS.values(), ids=TEXTS)
def test_a_text_is_fitted_to_its_cells(text: str) -> None:
    """Whatever the width, as lines of the dashboard are, and no joiner is left at the cut."""
    for width in range(1, 12):
        cut = fitted(clean_line(text), width)

        assert cell_width(cut) == cell_len(cut) == width
        assert "\u200d…" not in cut


@pytest.mark.parametrize("text", TEXTS.values(), ids=TEXTS)
def test_a_text_that_is_cut_at_its_beginning_stays_aligned(text: str) -> None:
    """Whatever the width: what two long texts share is left out from a whole sign on."""
    line = clean_line(text)
    for width in range(4, 24):
        for shown in cut_apart([f"{'n' * 30}{line * 2}{end}" for end in ("1", "2")], width).values():
            assert cell_len(shown) <= width
            assert not unicodedata.combining(shown[1:2] or "-")
            assert shown[1:2] != "\u200d"


def test_counting_letters_would_not_do() -> None:
    """The control: of most of them the number of characters is another one."""
    assert sum(len(text) != cell_len(clean_line(text)) for text in TEXTS.values()) > 8


def test_the_table_of_runs(tmp_path: Path, command: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    """Names of presets, tags and notes of runs: columns begin where their headings do, and nothing is reordered."""
    monkeypatch.chdir(tmp_path)
    for index, text in enumerate(TEXTS.values()):
        run = make_run(Path("runs"), presets.load("iter5"), index=index, epochs=2, name=text)
        notes = (run / "notes.md").read_text().replace("## Analysis\n", f"## Analysis\n\n{text}\n")
        (run / "notes.md").write_text(notes)
    write_tags(run, ["数字", "e\u0301"])
    code, out, _ = command("runs")
    heading, *lines = out.splitlines()
    at = cell_len(heading.partition("when")[0])

    assert code == 0
    assert len(lines) == len(TEXTS)
    for line in lines:
        when = line.index("2026-01-01")
        assert cell_len(line[:when]) == at, line
        assert cell_len(line.partition("  ")[0]) <= MAX_CELL
    unsafe = {unicodedata.bidirectional(character) for character in out} & {"RLO", "LRO", "RLE", "LRE", "RLI", "LRI"}
    assert not unsafe
    assert "\x1b" not in out
