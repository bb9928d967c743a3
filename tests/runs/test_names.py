"""What run folders are called: ends of names, which of them stand for one run alone, and lists of candidates."""

from hypothesis import given
from hypothesis import strategies as st

from mnist_tui.runs.names import MOST_NAMES, ends, matching, name_list, of_design, short_ids

NAMES = ["20260101T000000Z-iter5-s0-a17f", "20260102T000000Z-iter5-s1-b203", "20260103T000000Z-iter4-s0-c444"]


def test_the_ends_of_a_name_begin_after_a_hyphen() -> None:
    """The shortest first; a name without a hyphen has none."""
    assert list(ends(NAMES[0])) == ["a17f", "s0-a17f", "iter5-s0-a17f"]
    assert list(ends("pictures")) == []


def test_a_whole_name_goes_before_the_end_of_another() -> None:
    """The name itself; else every name that ends so; nothing ends in an empty text, or inside a part."""
    assert matching("a17f", NAMES) == NAMES[:1]
    assert matching("a17f", [*NAMES, "a17f"]) == ["a17f"]
    assert matching("17f", NAMES) == matching("", [*NAMES, "x-"]) == []


def test_the_runs_of_a_design() -> None:
    """The design stands before the seed; a part of its name, a seed or nothing names none."""
    assert of_design("iter5", NAMES) == NAMES[:2]
    assert of_design("ter5", NAMES) == of_design("iter", NAMES) == of_design("s0", NAMES) == of_design("", NAMES) == []
    assert of_design("my.net", ["20260101T000000Z-myxnet-s0-a17f"]) == []


def test_the_shortest_end_that_is_unique() -> None:
    """Where two runs share an end, a longer one; where no end is one run's alone, the whole name."""
    twins = ["20260101T000000Z-iter5-s0-a17f", "20260102T000000Z-iter5-s1-a17f", "x-a17f", "b203", "y-b203", "z-"]

    assert short_ids(NAMES) == dict(zip(NAMES, ("a17f", "b203", "c444"), strict=True))
    assert list(short_ids(twins).values()) == ["s0-a17f", "s1-a17f", "x-a17f", "b203", "y-b203", "z-"]


@given(st.lists(st.from_regex(r"[ab]{0,2}(-[ab]{0,2}){0,3}", fullmatch=True), unique=True, max_size=12))
def test_a_short_id_always_finds_its_run(names: list[str]) -> None:
    """Whatever the names are, and nothing shorter does."""
    for name, short in short_ids(names).items():
        assert not short or matching(short, names) == [name]
        assert all(matching(end, names) != [name] for end in ends(name) if len(end) < len(short))


def test_many_names_are_counted() -> None:
    """The newest are listed, and how many more there are."""
    assert name_list(NAMES) == ", ".join(reversed(NAMES))
    assert name_list([f"run-{index}" for index in range(8)]).endswith("run-3 and 3 more")
    assert name_list(["a"] * (MOST_NAMES + 1)) == f"{', '.join(['a'] * MOST_NAMES)} and 1 more"
    assert name_list(["a\x1b[2J\nb"]) == "a\ufffd[2J b"
