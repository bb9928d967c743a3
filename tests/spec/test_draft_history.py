"""Undo and redo over a whole design."""

from hypothesis import given
from hypothesis import strategies as st

from mnist_tui.spec import presets
from mnist_tui.spec.draft import Draft
from mnist_tui.spec.draft_history import MAX_STEPS, MERGE_SECONDS, Design, DesignHistory

BASE = Draft(presets.load("iter5"))


def design(text: str) -> Design:
    """A design that differs from others by the text of one field."""
    return Design(BASE.with_text("epochs", text), {})


def epochs(history: DesignHistory) -> str:
    """The text of that field."""
    return history.current.draft.text_of("epochs")


def test_typing_is_one_step_and_a_pause_begins_another() -> None:
    """Keys of one field that follow each other are taken back together."""
    history = DesignHistory(design("20"))
    history.record(design("2"), "epochs", 100.0, is_typing=True)
    history.record(design("25"), "epochs", 100.3, is_typing=True)
    history.record(design("255"), "epochs", 100.3 + 2 * MERGE_SECONDS, is_typing=True)
    first = history.undo(), epochs(history)
    second = history.undo(), epochs(history)

    assert first == ("epochs", "25")
    assert second == ("epochs", "20")
    assert history.undo() is None


def test_another_place_and_a_change_at_once_are_steps_of_their_own() -> None:
    """A preset that was picked between two keys of one field is not swallowed by them."""
    history = DesignHistory(design("1"))
    history.record(design("2"), "epochs", 100.0, is_typing=True)
    history.record(design("3"), "batch_size", 100.1, is_typing=True)
    history.record(design("4"), "preset v1", 100.2)
    history.record(design("5"), "preset v1", 100.3)
    seen = [(history.undo(), epochs(history)) for _ in range(4)]

    assert seen == [("preset v1", "4"), ("preset v1", "3"), ("batch_size", "2"), ("epochs", "1")]


def test_a_change_after_undo_forgets_what_was_undone() -> None:
    """A change after undo empties the redo list; earlier changes can still be undone."""
    history = DesignHistory(design("1"))
    history.record(design("2"), "a", 100.0)
    history.record(design("3"), "b", 101.0)
    undone = history.undo()
    history.record(design("4"), "c", 102.0)

    assert undone == "b"
    assert history.redo() is None
    assert epochs(history) == "4"
    assert (history.undo(), epochs(history)) == ("c", "2")


def test_typing_after_undo_is_a_new_step() -> None:
    """What was undone is not typed over in the step before it."""
    history = DesignHistory(design("1"))
    history.record(design("2"), "epochs", 100.0, is_typing=True)
    history.record(design("3"), "layers", 100.1, is_typing=True)
    history.undo()
    history.record(design("4"), "epochs", 100.2, is_typing=True)

    assert (history.undo(), epochs(history)) == ("epochs", "2")


@given(st.lists(st.sampled_from(["record", "undo", "redo"]), max_size=40))
def test_undo_and_redo_lead_along_one_line(actions: list[str]) -> None:
    """Whatever is done: undo and then redo comes back to the same design."""
    history, count = DesignHistory(design("1")), 1
    for action in actions:
        if action == "record":
            count += 1
            history.record(design(str(count)), f"step {count}", float(count))
        else:
            getattr(history, action)()
    here = epochs(history)

    if history.undo() is not None:
        assert history.redo() is not None
    assert epochs(history) == here


def test_the_past_is_bounded() -> None:
    """Only the newest steps are kept."""
    history = DesignHistory(design("1"))
    for index in range(MAX_STEPS + 50):
        history.record(design(str(index)), f"step {index}", float(index))
    steps = 0
    while history.undo() is not None:
        steps += 1

    assert steps == MAX_STEPS - 1
