"""Files as imported runs: notebooks, Markdown, names, counts, and files that are refused."""

import codecs
import io
import json
import math
import sys
from pathlib import Path
from tempfile import NamedTemporaryFile

import pytest
from helpers.logs import (
    EPOCHS,
    code_cell,
    keras_log,
    line_log,
    markdown_cell,
    notebook,
    tqdm_log,
    write,
)
from hypothesis import given
from hypothesis import strategies as st

from mnist_tui.errors import FileError, LogError
from mnist_tui.import_logs import import_file as importing
from mnist_tui.import_logs import sources, terminal_text
from mnist_tui.import_logs.import_file import MAX_TRAININGS, as_run_name, import_file
from mnist_tui.runs import history
from mnist_tui.text import is_name


@pytest.fixture(autouse=True)
def _in_tmp_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def test_a_notebook_with_several_trainings() -> None:
    """Each is a run, named after the nearest heading above it; figures and source code are passed over."""
    cells = [
        markdown_cell("# Session 7\n\nsome words"),
        code_cell("Total params: 13,808\n"),
        markdown_cell("## Model 1: no batch norm"),
        code_cell(*tqdm_log(EPOCHS).partition("EPOCH: 2")),
        markdown_cell("words without a heading"),
        code_cell(keras_log(EPOCHS[:2])),
        markdown_cell("## Model 2: *batch norm*"),
        code_cell(line_log(EPOCHS)),
    ]
    write(Path("S7.ipynb"), notebook(*cells))
    logs = import_file("S7.ipynb").trainings

    assert [(log.name, log.facts["part"], len(log.rows)) for log in logs] == [
        ("S7-Model-1-no-batch-norm-cell-4", "cell 4", 3),
        ("S7-Model-1-no-batch-norm-cell-6", "cell 6", 2),
        ("S7-Model-2-batch-norm", "cell 8", 3),
    ]
    assert [log.rows[0].train_accuracy for log in logs] == pytest.approx([0.9016] * 3), (
        "Keras in fractions, others in %"
    )
    assert [log.parameters for log in logs] == [None] * 3, "one summary does not say which network was trained"


def test_one_training_has_the_name_of_its_file() -> None:
    """And the parameters that the only layer summary tells."""
    write(
        Path("Net A.ipynb"),
        notebook(markdown_cell("# x"), code_cell("Total params: 13,808\n"), code_cell(tqdm_log(EPOCHS))),
    )
    (log,) = import_file("Net A.ipynb").trainings

    assert (log.name, log.parameters, log.held_out_images) == ("Net-A", 13_808, 10_000)


def test_two_summaries_tell_no_parameters() -> None:
    """Which of them was trained is not known; the user may know."""
    write(Path("a.log"), "Total params: 13,808\nTotal params: 7,000\n" + tqdm_log(EPOCHS))

    assert import_file("a.log").trainings[0].parameters is None
    assert import_file("a.log", parameters=7_000).trainings[0].parameters == 7_000


def test_what_the_user_knows() -> None:
    """A name for several trainings counts them; words about the images stand for the log's, and say whose they are."""
    write(Path("a.log"), line_log(EPOCHS) + line_log(EPOCHS))
    first, second = import_file("a.log", name="lenet", measured_on="MNIST's 10,000 test images").trainings

    assert (first.name, second.name) == ("lenet-1", "lenet-2")
    assert first.facts["measured_on"] == "MNIST's 10,000 test images (told at the import)"


def test_a_readme_is_cut_at_its_headings() -> None:
    """Prose tells no epochs, and the results above a log are none of it."""
    prose = "# Net\nTest Accuracy: 99.9%, 20 epochs\n## Results\nBest: 99.4\n"
    text = f"{prose}## Logs\n```\n{tqdm_log(EPOCHS)}```\n## More\nloss: 3\n"
    write(Path("README.md"), text)
    (log,) = import_file("README.md").trainings

    assert (log.facts["heading"], len(log.rows)) == ("Logs", 3)
    assert log.rows[-1].test_accuracy == pytest.approx(0.9855)


def test_standard_input(monkeypatch: pytest.MonkeyPatch) -> None:
    """A log that is piped in; a notebook is recognised by its content."""
    for text in (line_log(EPOCHS), notebook(code_cell(line_log(EPOCHS)))):
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(text.encode())))
        (log,) = import_file("-").trainings

        assert (log.name, log.facts["file"], len(log.rows)) == ("log", "standard input", 3)


def test_powershell_writes_utf_16() -> None:
    """As `python train.py > log.txt` does there; bytes that are no UTF-8 do not matter beside the numbers."""
    Path("a.log").write_bytes(codecs.BOM_UTF16_LE + line_log(EPOCHS).encode("utf-16-le"))
    Path("b.log").write_bytes(b"100%|\xdb\xdb|\n" + line_log(EPOCHS).encode())

    assert len(import_file("a.log").trainings[0].rows) == 3
    assert len(import_file("b.log").trainings[0].rows) == 3


def test_what_was_not_understood_is_counted_with_its_place() -> None:
    """Of the lines that are not blank, the cell and the line in it."""
    text = line_log(EPOCHS) + "\n\nEpoch three: loss 0.3\n"
    write(Path("a.ipynb"), notebook(markdown_cell("x"), code_cell(text)))
    file = import_file("a.ipynb")

    assert [one.words for one in file.misread] == ['cell 2, line 6: "Epoch three: loss 0.3"']
    assert (file.lines, file.trainings[0].facts["not_understood"]) == (4, 1)


@pytest.mark.parametrize(
    ("name", "content", "why"),
    [
        ("a.log", b"", "is empty"),
        ("a.log", b"hello\nworld 3\n", "no epoch in it is understood; known are"),
        ("a.log", b"Epoch three: loss 0.3 \x1b[31m\n" * 3, '3 lines look like one: line 1: "'),
        ("a.log", b"\x00\x01\x02 Epoch 1: loss 0.3", "is no text"),
        ("a.ipynb", b"Epoch 1: loss 0.3", "is no notebook: it is no JSON"),
        ("a.ipynb", b"[" * 100_000, "is no notebook: it is no JSON"),
        ("a.ipynb", b'{"worksheets": []}', "is no notebook of format 4"),
        ("a.ipynb", b"[1]", "is no notebook of format 4"),
        ("a.ipynb", b'{"cells": [1, null, {"cell_type": "code", "outputs": {}}, {"outputs": [7]}]}', "is empty"),
    ],
)  # fmt: skip
def test_files_that_are_refused(name: str, content: bytes, why: str) -> None:
    """One sentence that begins with the file."""
    Path(name).write_bytes(content)

    with pytest.raises(LogError) as error:
        import_file(name)
    assert str(error.value).startswith(f"{name}: ")
    assert why in str(error.value)
    assert "\x1b" not in str(error.value)


def test_reading_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """A file is not read beyond its limit, nor a text of endless lines, nor one in which everything is a training."""
    with Path("big.ipynb").open("wb") as file:
        file.truncate(60 * 2**20)
    with pytest.raises(FileError, match="larger than"):
        import_file("big.ipynb")

    monkeypatch.setattr(terminal_text, "MAX_LINES", 5)
    write(Path("long.log"), "a 1\n" * 6)
    with pytest.raises(LogError, match="more than 5 lines"):
        import_file("long.log")

    monkeypatch.setattr(terminal_text, "MAX_LINES", 10_000)
    write(Path("many.log"), "Epoch 2: loss 1\nEpoch 1: loss 1\n" * MAX_TRAININGS)
    with pytest.raises(LogError, match="trainings seem to be in it"):
        import_file("many.log")

    monkeypatch.setattr(sources, "MAX_BYTES", 10)
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(b"x" * 11)))
    with pytest.raises(FileError, match="larger than"):
        import_file("-")


def test_folders_and_missing_files() -> None:
    """A folder is one of TensorBoard's or none."""
    Path("logs").mkdir()

    with pytest.raises(FileError, match="is a folder without TensorBoard's event files"):
        import_file("logs")
    with pytest.raises(FileError, match="No such file"):
        import_file("a.log")


@pytest.mark.parametrize(
    "text", ["a b", "../../etc", "\x1b[31mred", "", "日本 語", "-x-", "a" * 200, "x\u202ey", "é\u0301"]
)
def test_any_text_becomes_a_name(text: str) -> None:
    """One that a run, a filter and a file may have."""
    assert is_name(as_run_name(text), 60)


def test_headings_are_made_safe() -> None:
    """A notebook is text from outside."""
    cells = [markdown_cell("# \x1b[31m[red]\u202e/../x"), code_cell(line_log(EPOCHS)), code_cell(line_log(EPOCHS))]
    write(Path("a.ipynb"), notebook(*cells))
    first, _ = import_file("a.ipynb").trainings

    assert is_name(first.name, 60)
    assert "\x1b" not in json.dumps(first.facts)


FRAGMENTS = st.sampled_from(
    [
        *["Epoch 1", "Epoch 2/3", "EPOCH: 0", "epoch,loss,val_acc", "0,0.5,0.9", "| Epoch | Acc |", "| 1 | 98 |"],
        *["loss: 0.3", "Loss=nan", "acc 1e999", "Accuracy: 5/0", "Accuracy: 9/10 (90%)", "val_", "test ", "Train "],
        *["469/469 [===] - 3s 6ms/step - loss: 0.1", "100%|███| 9/9 [00:01<00:00, 9it/s]", "Batch_id=7", "lr -1"],
        *["- 3s - loss: 0.1", "1e308", "inf", "%", "best", ": ", ", ", " ", "９", "Total params: 1,2,3", "time 3 s"],
        *["\r", "\b\b", "\x1b[31m"],
    ]
)


@given(st.lists(st.lists(FRAGMENTS, max_size=6).map("".join), max_size=12).map("\n".join))
def test_any_text_is_read_or_refused(text: str) -> None:
    """Whatever a log holds: rows that a history can hold, all of whose numbers can be, or one sentence."""
    with NamedTemporaryFile("w", suffix=".log", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        try:
            logs = import_file(file.name).trainings
        except LogError:
            return
    for log in logs:
        assert log.rows
        for row in log.rows:
            assert history.parse_row(history.history_line(row)) is not None
            shares = (row.train_accuracy, row.val_accuracy or 0.0, row.test_accuracy)
            assert all(math.isnan(share) or 0 <= share <= 1 for share in shares)


def test_too_many_epochs_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """Their history would be larger than what is read of one."""
    monkeypatch.setattr(importing, "MAX_EPOCHS", 2)
    write(Path("a.log"), line_log(EPOCHS))

    with pytest.raises(LogError, match="more than 2 epochs"):
        import_file("a.log")
