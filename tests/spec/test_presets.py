"""Presets: every built-in file is tested by existing, and every way a file can be wrong is one clear error."""

import os
import unicodedata
from pathlib import Path

import pytest

from mnist_tui.errors import PresetError
from mnist_tui.files import parse_toml
from mnist_tui.spec import presets
from mnist_tui.spec.calls import names_in
from mnist_tui.spec.recipe import Target, TrainSpec
from mnist_tui.spec.run_spec import RunSpec, make_spec

COUNTS = {
    "era5": (9_798, 2_163_840),
    "exp01": (12_026, 1_305_976),
    "exp02": (12_026, 1_882_560),
    "exp03": (35_946, 3_602_816),
    "exp04": (32_090, 10_511_392),
    "exp05": (38_330, 15_728_128),
    "exp06": (22_186, 8_894_480),
    "exp07": (22_186, 8_894_480),
    "exp08": (22_186, 8_894_480),
    "exp09": (22_410, 8_894_480),
    "exp10": (22_410, 8_894_480),
    "exp11": (19_614, 7_059_920),
    "exp12": (19_614, 7_059_920),
    "exp13": (19_614, 7_059_920),
    "exp14": (19_614, 7_059_920),
    "exp15": (19_614, 7_059_920),
    "exp16": (19_614, 7_059_920),
    "exp17": (19_348, 4_757_044),
    "exp18": (19_348, 4_757_044),
    "exp19": (20_050, 3_926_464),
    "iter1": (26_714, 1_332_800),
    "iter2": (24_210, 649_152),
    "iter3": (18_374, 459_032),
    "iter4": (20_514, 467_264),
    "iter5": (18_422, 459_032),
    "iter6": (18_422, 459_032),
    "iter7": (18_422, 459_032),
    "step1": (190_442, 60_651_648),
    "step2": (18_258, 3_440_192),
    "step3": (6_270, 1_738_208),
    "step4": (7_074, 1_981_600),
    "v1": (420_614, 23_565_416),
    "v2": (99_746, 11_374_912),
    "v3": (18_594, 1_863_104),
}
"""Parameters and multiply-adds of one image, in the order of `find()`: from the published layer tables, and counted
anew with the textbook formulas where nothing was published."""

HOUSE_COUNTS = {
    "best5k": (4_890, 551_000),
    "best8k": (7_886, 1_539_152),
    "best20k": (18_742, 2_370_828),
    "nano": (976, 198_836),
    "quick": (17_122, 961_504),
    "tiny": (3_294, 447_472),
}

ITERATIONS = [name for name in COUNTS if name.startswith("iter")]
VERSIONS = ["v1", "v2", "v3"]
WITHOUT_AUGMENTATION = ["exp14", "exp15", "exp16", "exp17", "exp18"]

README = (presets.builtin_folder() / "README.md").read_text(encoding="utf-8")

LAYERS = 'layers = """\nFlatten()\nLinear(10)\n"""\n'


@pytest.fixture(autouse=True)
def only_builtin(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A working folder and a configuration folder without presets: those of this machine's user are not found."""
    monkeypatch.setattr("platformdirs.user_config_path", lambda *_: tmp_path / "config")
    (tmp_path / "work").mkdir()
    monkeypatch.chdir(tmp_path / "work")


def write(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    return path


def error_of(path: Path) -> str:
    with pytest.raises(PresetError) as caught:
        presets.load_file(path)
    return str(caught.value)


# --- the built-in files ---------------------------------------------------------------------------------------------


def test_the_golden_table_has_every_built_in_preset_in_order() -> None:
    """A preset that is added, renamed or lost shows here, and step2 stands before step10."""
    assert presets.published_names() == tuple(COUNTS)
    assert presets.house_names() == tuple(HOUSE_COUNTS)
    assert list(presets.find()) == list(presets.builtin_names()) == [*COUNTS, *HOUSE_COUNTS]


@pytest.mark.parametrize("name", presets.builtin_names())
def test_counts_are_the_published_ones(name: str) -> None:
    """The network has the verified number of parameters and of multiply-adds."""
    spec = presets.load(name)

    assert (spec.parameters, sum(row.multiply_adds for row in spec.rows)) == {**COUNTS, **HOUSE_COUNTS}[name]


@pytest.mark.parametrize("name", presets.published_names())
def test_a_preset_says_what_it_is_and_whose(name: str) -> None:
    """Title, source and what its author reported are there, with one to four notes that fit a line."""
    spec = presets.load(name)

    assert spec.name == name
    assert spec.title
    assert "/" in spec.source
    assert spec.reported is not None
    assert 1 <= len(spec.reported.notes) <= 4
    assert all(len(note) <= 115 and note.isascii() for note in spec.reported.notes)


@pytest.mark.parametrize("name", presets.published_names())
def test_reported_figures_fit_each_other(name: str) -> None:
    """The last epoch is no better than the best, the best is one that ran, and the count is the network's."""
    spec = presets.load(name)
    reported = spec.reported

    assert reported is not None
    assert reported.accuracy
    assert reported.last_accuracy
    assert reported.epoch
    assert 0.8 < reported.last_accuracy <= reported.accuracy
    assert reported.epoch <= spec.train.epochs
    assert reported.parameters == spec.parameters


@pytest.mark.parametrize("name", presets.house_names())
def test_a_house_model_is_judged_by_its_last_epoch(name: str) -> None:
    """In at most 15 epochs on all of MNIST's training images, with seeds that chose nothing; nobody reported it."""
    spec = presets.load(name)

    assert spec.title
    assert (spec.data.name, spec.train.validation_images, spec.reported) == ("mnist", 0, None)
    assert spec.train.epochs <= 15
    assert spec.train.seed == 100
    assert spec.target.last_epochs == 1
    assert spec.target.parameters is not None
    assert spec.parameters < spec.target.parameters


@pytest.mark.parametrize(
    ("accuracy", "text"), [(None, ""), (0.994, "99.4"), (0.9947, "99.47"), (0.99, "99.0"), (1.0, "100.0")]
)
def test_a_target_is_not_rounded_to_another(accuracy: float | None, text: str) -> None:
    """99.47 % is not shown as 99.5."""
    assert Target(test_accuracy=accuracy).percent_text == text


@pytest.mark.parametrize("name", presets.builtin_names())
def test_every_dropout_is_a_knob(name: str) -> None:
    """No rate is written into a layer, so that a sweep can vary all of them."""
    dropouts = [call for call in presets.load(name).calls if call.name.startswith("Dropout")]

    assert all(len(names_in(call)) == 1 for call in dropouts)


@pytest.mark.parametrize("name", presets.builtin_names())
def test_a_preset_survives_json(name: str) -> None:
    """A preset written as JSON and read back is equal."""
    spec = presets.load(name)

    assert make_spec(spec.model_dump(mode="json")) == spec


@pytest.mark.parametrize("name", presets.builtin_names())
def test_keys_stand_in_one_order(name: str) -> None:
    """Title, source and layers come first; the tables follow in the order of the description in models/README.md."""
    document = parse_toml(presets.find()[name].read_text(encoding="utf-8"))
    order = ["title", "source", "layers", "knobs", "train", "target", "reported"]

    assert list(document) == [key for key in order if key in document]


def test_load_all_gives_them_in_the_same_order() -> None:
    """The list on the screen is the list of the files."""
    assert [spec.name for spec in presets.load_all()] == [*COUNTS, *HOUSE_COUNTS]


@pytest.mark.parametrize("name", ITERATIONS)
def test_iterations_say_what_they_were_measured_on(name: str) -> None:
    """Their accuracy is one of training images, and a note says that the test set was never evaluated."""
    reported = presets.load(name).reported

    assert reported is not None
    assert reported.measured_on == "60,000 augmented training images, in eval mode"
    assert any("never evaluated" in note for note in reported.notes)


@pytest.mark.parametrize("name", sorted(set(COUNTS) - set(ITERATIONS)))
def test_all_others_were_measured_on_the_test_images(name: str) -> None:
    """Nothing but the iterations was measured elsewhere."""
    reported = presets.load(name).reported

    assert reported is not None
    assert reported.measured_on == "10,000 test images"


@pytest.mark.parametrize("name", WITHOUT_AUGMENTATION)
def test_lost_augmentation_stays_lost_and_is_reported(name: str) -> None:
    """exp14 to exp18 train as they ran, without augmentation, and say so."""
    spec = presets.load(name)

    assert spec.train.augment == ()
    assert spec.reported is not None
    assert any("Augmentation" in note for note in spec.reported.notes)


@pytest.mark.parametrize("name", WITHOUT_AUGMENTATION)
def test_the_note_on_augmentation_can_be_typed_as_it_stands(name: str) -> None:
    """The --set of the note gives exp14 to exp18 the augmentation of exp11."""
    spec = presets.load(name)
    assert spec.reported is not None
    note = next(note for note in spec.reported.notes if "--set" in note)
    path, _, value = note.partition('--set "')[2].rstrip('"').partition("=")

    assert spec.with_settings({path: value}).train.augment == presets.load("exp11").train.augment


@pytest.mark.parametrize("number", range(12, 19))
def test_experiments_with_a_split_keep_the_authors_seed(number: int) -> None:
    """exp12 to exp18 take 10,000 images out of the training set and run under seed 42."""
    train = presets.load(f"exp{number}").train

    assert (train.validation_images, train.seed) == (10_000, 42)


def test_era5_steps_its_schedule_in_bursts() -> None:
    """One-cycle steps are taken an epoch's worth at a time, over 19 epochs of 469."""
    spec = presets.load("era5")
    assert spec.train.scheduler is not None
    arguments = dict(spec.resolved(spec.train.scheduler).kwargs)

    assert spec.train.scheduler_step == "burst"
    assert (arguments["epochs"], arguments["steps_per_epoch"]) == (19, 469)


@pytest.mark.parametrize("name", sorted(COUNTS))
def test_only_versions_normalise_with_measured_constants(name: str) -> None:
    """v1 to v3 use what their author measured on the training images; all others use the usual two numbers."""
    expected = (0.13066047, 0.30810782) if name in VERSIONS else (0.1307, 0.3081)

    assert presets.load(name).train.normalize == expected


# --- models/README.md -----------------------------------------------------------------------------------------------


def test_the_readmes_example_is_a_preset(tmp_path: Path) -> None:
    """What a newcomer copies from models/README.md loads, and meets its own limit of parameters."""
    example = README.partition("```toml\n")[2].partition("```")[0]
    spec = presets.load_file(write(tmp_path / "example.toml", example))

    assert spec.target.parameters is not None
    assert spec.parameters < spec.target.parameters


@pytest.mark.parametrize("key", TrainSpec.model_fields)
def test_the_readme_lists_every_setting(key: str) -> None:
    """The table of models/README.md has a row for each key of [train], with its default."""
    default = TrainSpec.model_fields[key].default
    row = next((line for line in README.splitlines() if line.startswith(f"| `{key}` ")), "")
    shown = row.split("|")[2].strip().strip('`"') if row else "no row"

    assert shown.replace("_", "") == (
        "none" if default is None else str(list(default) if isinstance(default, tuple) else default)
    )


# --- where presets are found ----------------------------------------------------------------------------------------


def test_a_users_own_presets_are_found_in_three_places(tmp_path: Path) -> None:
    """The configuration folder, ./models and the given folder are searched after the built-in ones, in this order."""
    write(tmp_path / "config" / "models" / "mine.toml", LAYERS)
    write(tmp_path / "work" / "models" / "here.toml", LAYERS)
    extra = write(tmp_path / "extra" / "given.toml", LAYERS).parent

    assert list(presets.find(extra))[-3:] == ["mine", "here", "given"]
    assert presets.load("given", extra).parameters == 7_850


def test_the_working_folder_may_be_the_built_in_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """In a checkout ./models is the built-in folder: it counts once, and stays before the user's own."""
    write(tmp_path / "config" / "models" / "mine.toml", LAYERS)
    monkeypatch.chdir(presets.builtin_folder().parent)

    assert list(presets.find()) == [*COUNTS, *HOUSE_COUNTS, "mine"]


def test_numbers_in_names_sort_as_numbers(tmp_path: Path) -> None:
    """net2 stands before net10."""
    for name in ("net10", "net2", "net"):
        write(tmp_path / "extra" / f"{name}.toml", LAYERS)

    assert list(presets.find(tmp_path / "extra"))[-3:] == ["net", "net2", "net10"]


def test_the_same_name_twice_names_both_files(tmp_path: Path) -> None:
    """A second preset named iter5 is refused with both files."""
    mine = write(tmp_path / "extra" / "iter5.toml", LAYERS)

    with pytest.raises(PresetError) as caught:
        presets.find(tmp_path / "extra")

    assert str(mine) in str(caught.value)
    assert str(presets.builtin_folder() / "iter5.toml") in str(caught.value)


def test_a_copy_that_says_the_same_counts_once(tmp_path: Path) -> None:
    """Who installs from a checkout and works in it has every built-in preset twice; the first counts."""
    builtin = presets.builtin_folder() / "iter5.toml"
    write(tmp_path / "extra" / "iter5.toml", builtin.read_text())

    assert presets.find(tmp_path / "extra")["iter5"] == builtin


@pytest.mark.parametrize(("typed", "meant"), [("iter55", "iter5"), ("ERA5", "era5"), ("step", "step4")])
def test_an_unknown_name_suggests_the_nearest(typed: str, meant: str) -> None:
    """The error of an unknown name suggests the nearest one."""
    with pytest.raises(PresetError, match=f"there is no preset '{typed}'; did you mean '{meant}'"):
        presets.load(typed)


def test_a_name_like_no_other_points_to_the_list() -> None:
    """Where nothing is near, the message says how to see all names."""
    with pytest.raises(PresetError, match="mnist-tui --list"):
        presets.load("q")


def test_a_name_cannot_drive_the_terminal() -> None:
    """Control characters of a typed name do not reach the screen."""
    with pytest.raises(PresetError) as caught:
        presets.load("\x1b[31m")

    assert "\x1b" not in str(caught.value)


def test_a_folder_of_presets_must_exist(tmp_path: Path) -> None:
    """--models with a wrong path is an error, not an empty list."""
    with pytest.raises(PresetError, match="there is no such folder of presets"):
        presets.find(tmp_path / "nowhere")


# --- files that are wrong -------------------------------------------------------------------------------------------


def test_a_file_can_be_loaded_by_its_path(tmp_path: Path) -> None:
    """Its name is the file's, without the ending."""
    path = write(tmp_path / "small.toml", LAYERS)

    assert isinstance(presets.load(str(path)), RunSpec)
    assert presets.load(str(path)).name == "small"


@pytest.mark.parametrize("name", ["测试", "größe", "नमस्ते", "2.0-b"])
def test_a_preset_of_any_script_is_saved_and_found(name: str) -> None:
    """However its accents are typed; it is there then, and no second one may have its name."""
    decomposed = unicodedata.normalize("NFD", name)
    spec = presets.load("iter5")
    path = presets.save(spec, decomposed, spec)

    assert path.name == f"{name}.toml"
    assert presets.load(decomposed).name == presets.load(name).name == name
    with pytest.raises(PresetError, match="there is a preset"):
        presets.check_new_name(name)


def test_composite_layers_are_saved_as_they_are_written() -> None:
    """Line breaks and comments inside of a layer too."""
    layers = (
        "Parallel(  # two branches\n    Sequential(Conv2d(width, 1), ReLU),\n    Conv2d(8, 3, padding=1),\n)\n"
        "SqueezeExcite(ratio)\nFlatten()\nLinear(10)\n"
    )
    spec = make_spec({"layers": layers, "knobs": {"width": 4, "ratio": 4}})
    presets.save(spec, "branches", presets.load("iter5"))
    saved = presets.load("branches")

    assert (saved.layers, saved.rows, saved.knobs) == (layers, spec.rows, spec.knobs)


@pytest.mark.parametrize("name", ["", "a/b", "../x", ".x", "-x", "a b", "x.toml", "\u0301", "a\u202eb", "iter5"])
def test_a_name_that_no_new_preset_can_have(name: str) -> None:
    """Refused in a line; nothing is written."""
    spec = presets.load("iter5")
    with pytest.raises(PresetError) as caught:
        presets.save(spec, name, spec)

    assert str(caught.value).isprintable()
    assert not presets.user_folder().exists()


def test_a_file_whose_name_is_not_in_normal_form_is_found(tmp_path: Path) -> None:
    """As some systems write them; beside its twin in normal form it is the same name twice."""
    write(tmp_path / "extra" / f"{unicodedata.normalize('NFD', 'größe')}.toml", LAYERS)
    assert presets.load("größe", tmp_path / "extra").name == "größe"
    write(tmp_path / "extra" / "größe.toml", f"title = 'another'\n{LAYERS}")

    with pytest.raises(PresetError, match="two presets are called größe"):
        presets.find(tmp_path / "extra")


def test_a_missing_file_is_an_error(tmp_path: Path) -> None:
    """The message begins with the path."""
    path = tmp_path / "none.toml"

    assert error_of(path) == f"{path}: No such file or directory"


def test_a_folder_in_place_of_a_file_is_an_error(tmp_path: Path) -> None:
    """A folder, even one called something.toml, is called a folder."""
    path = tmp_path / "folder.toml"
    path.mkdir()

    assert error_of(path) == f"{path}: is a folder"


def test_a_pipe_in_place_of_a_file_is_an_error(tmp_path: Path) -> None:
    """A pipe that nobody writes to is refused at once."""
    path = tmp_path / "pipe.toml"
    os.mkfifo(path)

    assert error_of(path) == f"{path}: is not a regular file"


def test_binary_garbage_is_an_error(tmp_path: Path) -> None:
    """Bytes that are no text are called so, with their place."""
    path = tmp_path / "garbage.toml"
    path.write_bytes(b"title = '\xff\xfe\x00\x80'")

    assert error_of(path) == f"{path}: is not UTF-8 text (byte 9)"


def test_a_large_file_is_an_error(tmp_path: Path) -> None:
    """A megabyte is refused before it is parsed."""
    path = write(tmp_path / "large.toml", "# " + 1_000_000 * "x")

    assert error_of(path) == f"{path}: is larger than 65,536 bytes"


@pytest.mark.parametrize("form", ["{} = 1", "[{}]", "x = {{ {} = 1 }}"])
def test_a_bomb_of_dotted_keys_is_an_error(tmp_path: Path, form: str) -> None:
    """A key of 30,000 parts would keep the TOML parser busy for long: it never sees one."""
    path = write(tmp_path / "bomb.toml", form.format(".".join(30_000 * "a")))

    assert "a line has 29,999 dots, at most 1,000 are read" in error_of(path)


@pytest.mark.parametrize("text", ["a = " + 20_000 * "[", "a = " + 9_000 * "9", "title = 'x", "= 3", "a = 1\na = 2"])
def test_what_is_no_toml_is_an_error(tmp_path: Path, text: str) -> None:
    """Deep nesting, huge numbers, open strings and double keys end in one line that begins with the path."""
    path = write(tmp_path / "odd.toml", text)
    message = error_of(path)

    assert message.startswith(f"{path}: ")
    assert "\n" not in message


@pytest.mark.parametrize(
    "text",
    [
        'layers = """\nFlatten()\nLinaer(10)\n"""\n',
        'layers = """Flatten()\n\nLinaer(10)\n"""\n',
        'title = "three layers"\nlayers = """Flatten()\nLinaer(10)"""\n',
        'title = "three layers"\n\nlayers = "Linaer(10)"\n',
        "title = 'x'\nlayers = '''Flatten()\nLinaer(10)\n'''\n",
        "layers = '''\nFlatten()\nLinaer(10)\n'''\n",
        'layers = """\r\nFlatten()\r\nLinaer(10)\r\n"""\r\n',
    ],
)
def test_a_wrong_layer_names_file_and_line(tmp_path: Path, text: str) -> None:
    """The line is the file's, however the layers are quoted and the lines end."""
    path = tmp_path / "net.toml"
    path.write_bytes(text.encode())

    assert error_of(path) == f"{path}, line 3: there is no layer 'Linaer'; did you mean 'Linear'?"


def test_a_layer_that_does_not_fit_names_file_and_line(tmp_path: Path) -> None:
    """Shapes are checked when a file is read."""
    path = write(tmp_path / "net.toml", 'title = "x"\nlayers = """\nConv2d(8, 29)\nFlatten()\nLinear(10)\n"""\n')

    assert error_of(path).startswith(f"{path}, line 3: Conv2d")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("[train]\nepochs = 0\n", "line 6: train.epochs: "),
        ("[train]\nbatchsize = 64\n", "line 6: train.batchsize: there is no such key; did you mean 'batch_size'?"),
        ('[train]\noptimizer = "Adm(lr=1)"\n', "line 6: train.optimizer: there is no optimizer 'Adm'; did you mean"),
        ("[knobs]\nwidth = 3\n", "line 6: knobs.width: no layer and no argument uses it"),
        ("[target]\ntest_accuracy = 99.4\n", "line 6: target.test_accuracy: "),
        ("[reported]\naccuracy = nan\n", "line 6: reported.accuracy: "),
        ("epochs = 3\n", "line 5: epochs: there is no such key"),
    ],
)
def test_a_wrong_setting_names_file_and_line(tmp_path: Path, text: str, expected: str) -> None:
    """Each message holds the file, the line of the key, the key and what to do."""
    path = write(tmp_path / "net.toml", LAYERS + text)

    assert error_of(path).startswith(f"{path}, {expected}")


def test_a_file_without_layers_is_an_error(tmp_path: Path) -> None:
    """There is no preset without a network."""
    path = write(tmp_path / "empty.toml", "")

    assert error_of(path) == f"{path}, layers: is missing"
