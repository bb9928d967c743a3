"""Plans of sweeps: their points, what they make of them, and when two ask the same."""

import re
from pathlib import Path

import pytest
from helpers.sweeps import LR, lr_plan

from mnist_tui.errors import SweepError
from mnist_tui.spec import presets
from mnist_tui.spec.run_spec import make_spec
from mnist_tui.sweep import sweep_file
from mnist_tui.sweep.domains import parse_domain
from mnist_tui.sweep.plan import Point, SweepPlan, make_plan


def test_every_configuration_comes_before_the_second_seed() -> None:
    """So that an early look sees all of them."""
    plan = lr_plan("0.001", "0.01", seeds=2)

    assert [(point.number, point.seed) for point in plan.all_points()] == [(0, 0), (1, 0), (0, 1), (1, 1)]
    assert plan.runs == 4
    rates = [dict(plan.spec_of(point).train.optimizer.kwargs)["lr"] for point in plan.all_points()]
    assert rates == [0.001, 0.01, 0.001, 0.01]


def test_points_are_chosen_on_validation_images() -> None:
    """Split off where the recipe has none; kept where it has; none where the user insists on the test images."""
    own = presets.load("iter5").with_settings({"validation_images": "500"})

    assert lr_plan().base.train.validation_images == 10_000
    assert sweep_file.plan_of(own, {LR: ("1", "2")}, {}).base.train.validation_images == 500
    assert lr_plan(choose_on="test").base.train.validation_images == 0


def test_a_setting_with_one_value_is_not_varied() -> None:
    """It is set in every run."""
    plan = sweep_file.plan_of(presets.load("iter5"), {LR: ("0.1", "0.2"), "epochs": ("3",)}, {})

    assert list(plan.vary) == [LR]
    assert plan.base.train.epochs == 3


@pytest.mark.parametrize("design", ["random", "sobol"])
def test_drawn_points_stay_when_there_are_more(design: str) -> None:
    """And are the same each time; each is there once."""
    domain = "0.001..0.1 log"
    small, large = (
        sweep_file.plan_of(presets.load("iter5"), {LR: domain, "batch_size": "16..64"}, {"design": design, "points": n})
        for n in (5, 9)
    )

    assert small.configurations == large.configurations[:5]
    assert len({str(values) for values in large.configurations}) == 9
    assert small.question == large.question
    assert small.grown(large) == large
    assert large.grown(small) == large


def test_sobol_points_cover_the_space_evenly() -> None:
    """Of 16, one lies in each sixteenth of a range; random ones do not."""
    counts = {}
    for design in ("sobol", "random"):
        more = {"design": design, "points": 16}
        plan = sweep_file.plan_of(presets.load("iter5"), {LR: "0.0..1.6", "clip_grad_norm": "0.5..1.5"}, more)
        counts[design] = len({int(float(values[LR]) * 10) for values in plan.configurations})

    assert counts["sobol"] == 16
    assert counts["random"] < 16


def test_a_finite_space_ends() -> None:
    """More points than there are different ones."""
    more = {"design": "random", "points": 50}
    plan = sweep_file.plan_of(presets.load("iter5"), {LR: ("0.1", "0.2", "0.3")}, more)

    assert sorted(values[LR] for values in plan.configurations) == ["0.1", "0.2", "0.3"]


def test_networks_of_presets_are_tried_with_their_knobs() -> None:
    """`layers` names them; the recipe is that of the base."""
    plan = sweep_file.plan_of(presets.load("iter5"), {"layers": ("iter4", "v3")}, {})
    specs = [plan.spec_of(point) for point in plan.all_points()]

    assert [spec.parameters for spec in specs] == [presets.load(name).parameters for name in ("iter4", "v3")]
    assert {str(spec.train.optimizer) for spec in specs} == {str(presets.load("iter5").train.optimizer)}


def test_constraints_leave_configurations_out() -> None:
    """And say where none is left; names and signs are checked."""
    plan = sweep_file.plan_of(presets.load("iter5"), {"layers": ("iter4", "step4")}, {"where": ("params<10_000",)})

    assert [values["layers"] for values in plan.configurations] == ["step4"]
    for where, part in {"parameters<10": "none of 2", "size<3": "no 'size'", "parameters=3": "write a bound"}.items():
        with pytest.raises(SweepError, match=part):
            sweep_file.plan_of(presets.load("iter5"), {"layers": ("iter4", "step4")}, {"where": (where,)})


@pytest.mark.parametrize(
    ("vary", "part"),
    [
        ({}, "nothing is varied"),
        ({"seed": ("1", "2")}, "--seeds 3"),
        ({"target.parameters": ("1", "2")}, "is not varied"),
        ({"preset": ("iter4", "iter5")}, "preset: is no setting; name the presets themselves"),
        ({"layers": "1..3"}, r"layers: 1\.\.3 is a range; name presets"),
        ({"drpout": ("1", "2")}, "--set drpout: there is no such setting"),
        ({LR: "0.1..0.2"}, "a grid needs values"),
        ({LR: tuple(map(str, range(1, 200))), "batch_size": tuple(map(str, range(1, 100)))}, "19,701 points"),
        ({"batch_size": ("8", "0")}, "batch_size 0: .* greater than or equal to 1"),
    ],
)
def test_what_cannot_be_tried(vary: dict[str, tuple[str, ...] | str], part: str) -> None:
    """Nothing of it is begun."""
    with pytest.raises(SweepError, match=part):
        sweep_file.plan_of(presets.load("iter5"), vary, {})


def test_a_plan_is_read_as_it_was_written() -> None:
    """Through JSON; its question depends on what is tried, and not on how often."""
    plan = lr_plan("0.1", "0.2", seeds=3)

    assert make_plan(plan.model_dump(mode="json")) == plan
    assert plan.question == lr_plan("0.1", "0.2", seeds=5).question
    assert plan.question != lr_plan("0.1", "0.3", seeds=3).question


FILE = """
seeds = 2
layers = '''
AvgPool2d(4)
Flatten
head        # a block
'''
[knobs]
width = 8
[train]
epochs = 2
[sweep]
optimizer.lr = [0.03, 0.1]
batch_size = "16..64 step 48"
[blocks.head]
plain = "Linear(10)"
deep = '''
Linear(width)
ReLU
Linear(10)
'''
"""


def load(folder: Path, text: str) -> SweepPlan:
    """The plan in a file of this text."""
    (folder / "my.toml").write_text(text)
    return sweep_file.load_plan(folder / "my.toml")


@pytest.mark.parametrize(
    ("typed", "part"),
    [(("deeep", "plain"), "head: there is no 'deeep'; did you mean 'deep'"), ("1..3", "there are plain, deep")],
)
def test_a_choice_that_a_block_lacks(typed: tuple[str, ...] | str, part: str, tmp_path: Path) -> None:
    """As --set names it beside the file."""
    (tmp_path / "my.toml").write_text(FILE)

    with pytest.raises(SweepError, match=part):
        sweep_file.load_plan(tmp_path / "my.toml", changes={"vary": {"head": typed}})


@pytest.mark.parametrize("names", [("iter4", "gone"), ()])
def test_presets_that_a_plan_on_disk_does_not_hold(names: tuple[str, ...]) -> None:
    """A damaged file is refused where it is read, and not where a point of it is trained."""
    plan = sweep_file.plan_of([presets.load("iter4"), presets.load("iter5")], {"epochs": ("1", "2")}, {})
    document = plan.model_dump(mode="json", exclude_none=True)
    document["vary"]["preset"] = names

    with pytest.raises(SweepError, match="preset: "):
        make_plan(document)


def test_a_file_with_blocks(tmp_path: Path) -> None:
    """Each choice of a block is tried; a knob that only one of them uses is left out of the others."""
    plan = load(tmp_path, FILE)
    specs = [plan.spec_of(point) for point in plan.all_points()]

    assert plan.seeds == 2
    assert list(plan.vary) == ["optimizer.lr", "batch_size", "head"]
    assert [spec.parameters for spec in specs[:2]] == [500, 490]
    assert [dict(spec.knobs) for spec in specs[:2]] == [{}, {"width": 8}]
    assert plan.spec_of(Point(0, 0, {"head": "deep", "batch_size": "64"})).train.batch_size == 64


def test_a_file_that_changes_a_preset(tmp_path: Path) -> None:
    """What it does not say is the preset's; the command line comes before it."""
    (tmp_path / "my.toml").write_text('preset = "iter5"\n[train]\nepochs = 3\n[sweep]\noptimizer.lr = [0.1, 0.2]\n')
    changes = {"vary": {"batch_size": ("16", "32")}, "seeds": 4}
    plan = sweep_file.load_plan(tmp_path / "my.toml", changes=changes)

    assert (plan.base.name, plan.base.train.epochs, plan.seeds) == ("iter5", 3, 4)
    assert list(plan.vary) == ["optimizer.lr", "batch_size"]
    assert sweep_file.is_sweep_file(tmp_path / "my.toml")
    assert not sweep_file.is_sweep_file(presets.builtin_folder() / "iter5.toml")


@pytest.mark.parametrize(
    ("old", "new", "part"),
    [
        ("seeds = 2", "seed = 2", "there is no key 'seed'; did you mean 'seeds'"),
        ("seeds = 2", "seeds = 0", "seeds: should be greater than or equal to 1"),
        ("width = 8", "width = 8\nfoo = 1", "knobs.foo: no layer and no argument uses it"),
        ('plain = "Linear(10)"', "plain = 3", "blocks.head.plain: must be layers"),
        ("[0.03, 0.1]", "[]", "optimizer.lr: a value is empty"),
        ("[train]", "[trian]", "there is no key 'trian'"),
        ("epochs = 2", "epochs = ", "line 11"),
        ("Flatten\n", "Flaten\n", "Flaten"),
    ],
)
def test_a_wrong_file(tmp_path: Path, old: str, new: str, part: str) -> None:
    """One line that begins with the file."""
    assert old in FILE
    with pytest.raises(SweepError, match=r"^\S*my.toml: .*" + part):
        load(tmp_path, FILE.replace(old, new))


def test_the_page_on_sweeps_is_right(tmp_path: Path) -> None:
    """Its file can be used as it stands, and each way to write values means what is said beside it."""
    page = (Path(__file__).parents[2] / "docs" / "sweeps.md").read_text(encoding="utf-8")
    (example,) = re.findall(r"^```toml\n(.*?)^```", page, re.MULTILINE | re.DOTALL)
    plan = load(tmp_path, example)
    written = dict(re.findall(r"^\| `([^`]+)` \| (.+) \|$", page, re.MULTILINE))

    assert plan.runs == 3 * 3 * 4 * 2
    assert {plan.spec_of(point).parameters for point in plan.all_points()} == {170, 13_610}
    for text, words in written.items():
        if "=" not in text:
            assert str(parse_domain("x", text))
        if re.fullmatch(r"[\d., ]+", words):
            assert str(parse_domain("x", text)) == words


def test_whole_presets_against_each_other() -> None:
    """Each by its own recipe, with the settings that are set in all, and a split where it has none."""
    specs = [presets.load(name) for name in ("iter4", "step4")]
    plan = sweep_file.plan_of(specs, {"epochs": ("2",)}, {"seeds": 2})
    made = [plan.spec_of(point) for point in plan.all_points()]

    assert [spec.name for spec in made] == ["iter4", "step4", "iter4", "step4"]
    assert [spec.train.seed for spec in made] == [0, 0, 1, 1]
    assert {(spec.train.epochs, spec.train.validation_images) for spec in made} == {(2, 10_000)}
    assert [str(spec.train.loss) for spec in made[:2]] == [str(spec.train.loss) for spec in specs]
    assert make_plan(plan.model_dump(mode="json")) == plan
    with pytest.raises(SweepError, match="two presets are called iter4"):
        sweep_file.plan_of([specs[0], specs[0]], {}, {})


def test_presets_as_published_are_not_changed() -> None:
    """Where points are chosen on the test images: all is the author's but the seed, which is one for all."""
    specs = list(presets.load_all())
    plan = sweep_file.plan_of(specs, {}, {"choose_on": "test"})

    seed = str(specs[0].train.seed)
    assert [plan.spec_of(point) for point in plan.all_points()] == [
        spec.with_settings({"seed": seed}) for spec in specs
    ]


ON_TEST = {"choose_on": "test"}


def test_a_sweep_on_another_data_set() -> None:
    """Every point is on it, with its own normalization; presets of several data sets are not compared."""
    base = make_spec({"layers": "Flatten()\nLinear(10)", "train": {"validation_images": 6_000}})
    plan = make_plan({"base": base, "vary": {"batch_size": ["16", "32"]}, "dataset": "kmnist"})
    specs = [plan.spec_of(point) for point in plan.all_points()]
    fashion = make_spec({"layers": "Flatten()\nLinear(10)", "data": {"name": "fashion-mnist"}})

    assert {spec.data.name for spec in specs} == {"kmnist"}
    assert {spec.train.batch_size for spec in specs} == {16, 32}
    assert plan.specs == (base.for_dataset("kmnist"),)
    with pytest.raises(SweepError, match="these are on several data sets"):
        make_plan(
            {"base": base, "vary": {"preset": ["a", "b"]}, "presets": {"a": base, "b": fashion}, "choose_on": "test"}
        )


def test_a_sweep_file_with_a_data_set(tmp_path: Path) -> None:
    """A network of its own may name its data, as in a preset; a sixth of the images is split off to choose on."""
    path = tmp_path / "mine.toml"
    path.write_text('layers = "Flatten()\\nLinear(10)"\n[data]\nname = "cifar-10"\n[sweep]\nbatch_size = [16, 32]\n')
    plan = sweep_file.load_plan(path)

    assert plan.base.dataset.name == "cifar-10"
    assert plan.base.train.validation_images == 8_333
