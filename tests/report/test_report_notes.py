"""What people wrote in notes, in a report: taken as it is, kept below the report's headings, never written to."""

from pathlib import Path

import pytest
from helpers.saved_runs import make_run

from mnist_tui.analysis.comparison import Arm
from mnist_tui.report.notes import notes_of
from mnist_tui.report.prose import as_html, as_markdown
from mnist_tui.report.steps import Surroundings, make_step
from mnist_tui.runs.annotations import Notes, write_notes
from mnist_tui.runs.reader import read_run
from mnist_tui.runs.record import Run
from mnist_tui.spec import presets


@pytest.fixture(autouse=True)
def in_a_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def saved(seed: int = 0) -> Run:
    return read_run(make_run(Path("runs"), presets.load("step4"), seed, index=seed))


def test_what_is_missing_says_where_to_write_it() -> None:
    """The file, and the command that opens it; the target is known from the spec where the notes have none."""
    run = saved()
    write_notes(run.folder, Notes())
    target, result, analysis = notes_of([run])

    assert target.text.startswith("fewer than 8,000 parameters, 99.40% on the test set")
    assert (result.text, analysis.text) == ("", "")
    assert analysis.file == f"{run.folder}/notes.md"
    assert analysis.command == f"mnist-tui note {run.folder}"


def test_the_notes_are_taken_as_they_are_written() -> None:
    """Parts under their headings, in Markdown; reading changes no file."""
    run = saved()
    text = "# step4\n\n## Target\n\nmine\n\n## Result\n\n- good\n\n## Analysis\n\nIt *works*.\n\nReally.\n"
    (run.folder / "notes.md").write_text(text)

    assert [note.text for note in notes_of([run])] == ["mine", "- good", "It *works*.\n\nReally."]
    assert (run.folder / "notes.md").read_text() == text


def test_of_several_seeds_every_analysis_is_there() -> None:
    """Target and result are those of the first, which the result says."""
    runs = [saved(0), saved(1), saved(2)]
    for run, words in zip(runs, ("", "one", "two"), strict=True):
        write_notes(run.folder, Notes("t", f"result {run.seed}", words))
    target, result, analysis = notes_of(runs)

    assert target.text == "t"
    assert result.text == "Seed 0:\n\nresult 0"
    assert analysis.text == "Seed 1:\n\none\n\nSeed 2:\n\ntwo"
    assert notes_of(runs[:2])[2].text == "one"


def test_notes_that_cannot_be_read_are_a_remark() -> None:
    """A link is not followed; the report is made all the same."""
    run = saved()
    (run.folder / "notes.md").unlink()
    (run.folder / "notes.md").symlink_to("/etc/hostname")
    step = make_step(1, Arm("step4", (run,)), None, Surroundings((), None, False, False))

    assert step.notes[2].text == ""
    assert any("is a link, which is not followed" in remark for remark in step.remarks)


# --- as a part of a report ---


def test_headings_of_notes_go_below_those_of_the_report() -> None:
    """In both formats; a comment in a block of code is no heading."""
    text = "# One\n\n> ## Two\n\n```python\n# code\n```\n\n###### Six"

    assert as_markdown(text) == "#### One\n\n> ##### Two\n\n```python\n# code\n```\n\n###### Six"
    html = as_html(text)
    assert "<h4>One</h4>" in html
    assert "<h5>Two</h5>" in html
    assert "<h6>Six</h6>" in html
    assert "# code" in html


@pytest.mark.parametrize("opened", ["```python\nx = 1", "~~~~\nx", "text\n\n```"])
def test_a_block_of_code_that_is_left_open_ends_with_the_notes(opened: str) -> None:
    """Else the rest of the report would be code."""
    from markdown_it import MarkdownIt

    parser = MarkdownIt("commonmark")
    assert "<h2>After</h2>" not in parser.render(f"{opened}\n\n## After\n")
    assert "<h2>After</h2>" in parser.render(f"{as_markdown(opened)}\n\n## After\n")


def test_a_closed_block_of_code_stays_as_it_is() -> None:
    """Also where it is the last thing, and where it is empty."""
    for text in ("```\nx\n```", "```\n```", "a\n\n```text\n```  "):
        assert as_markdown(text) == text


def test_a_comment_that_is_left_open_hides_nothing() -> None:
    """The rest of the report would be in it."""
    assert as_markdown("a <!-- b") == "a &lt;!-- b"
    assert as_markdown("a <!-- b --> c") == "a <!-- b --> c"


def test_html_of_notes_loads_and_runs_nothing() -> None:
    """Their HTML is text, a picture is a link, a link to a script is text; tables are tables."""
    html = as_html(
        "<script>alert(1)</script>\n\n<img src=x onerror=alert(1)> a <b>b</b>\n\n![p](http://example.com/p.png)\n\n"
        "[link](javascript:alert(1))\n\n| a | b |\n|---|---|\n| 1 | 2 |\n"
    )

    assert "<script" not in html
    assert "<img" not in html
    assert 'href="javascript' not in html
    assert "&lt;b&gt;b&lt;/b&gt;" in html
    assert "<td>1</td>" in html
