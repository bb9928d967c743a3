"""`[data]` of a preset: the data set of a run.

A folder of one's own is described whole, so that its runs can be read where it is not. Every fact that is not written
is that of the published data set, or is looked up in the folder.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import Field, StrictInt, ValidationInfo, model_validator

from mnist_tui.datasets import names
from mnist_tui.datasets.published import MNIST, PUBLISHED, SMALL_DIGITS
from mnist_tui.datasets.record import FOLDER, MOST_CLASSES, DataSet, FolderOptions, path_of
from mnist_tui.errors import DataError, SpecError
from mnist_tui.spec.recipe import Frozen
from mnist_tui.text import clean_line

SIZE, TEST_SHARE = 28, 0.2
SAVED = "saved"
"""The validation context of a spec out of a run folder, which may be somebody else's: no folder is looked at for it."""

_Count = Annotated[StrictInt, Field(ge=1)]


class DataSpec(Frozen):
    """The data set of a run; the keys after `target_of` are those of `folder:PATH`."""

    name: str = MNIST.name
    """A published data set, or folder:PATH, whose path is made absolute."""
    target_of: str | None = None
    """The data set that target and reported figures are of, where `--dataset` named another one for the run."""
    size: Annotated[StrictInt, Field(ge=4, le=256)] | None = None
    """Pixels of a side that images are resized to; 28 where nothing is said."""
    channels: Literal[1, 3] | None = None
    """1, grey, where nothing is said; 3: red, green and blue."""
    test_share: Annotated[float, Field(gt=0, lt=1)] | None = None
    """The share of each class that is tested on; 0.2 where nothing is said."""
    split_seed: Annotated[StrictInt, Field(ge=0)] | None = None
    """Decides which images are tested on; 0 where nothing is said."""
    classes: Annotated[tuple[str, ...], Field(min_length=2, max_length=MOST_CLASSES)] | None = None
    """The names of the folders, in the order of their labels from 0."""
    train_images: _Count | None = None
    test_images: _Count | None = None
    mean: float | None = None
    """Of the pixels of the training images in 0..1."""
    std: Annotated[float, Field(gt=0)] | None = None

    @model_validator(mode="before")
    @classmethod
    def _add_folder_facts(cls, document: Any, info: ValidationInfo) -> Any:
        """Adds what the folder of `folder:PATH` holds, unless that is written already, as it is in a saved spec."""
        if not isinstance(document, Mapping) or not isinstance(name := document.get("name", MNIST.name), str):
            return document
        try:
            names.check(name)
        except ValueError as error:
            raise SpecError(str(error), ("data", "name")) from None
        given = {key: value for key, value in document.items() if value is not None}
        if (path := path_of(name)) is None:
            return _without_folder_keys(given, name)
        given = _DEFAULTS | dict(given) | {"name": f"{FOLDER}{path.absolute()}"}
        if set(_FACTS) <= given.keys():
            return given
        if info.context == SAVED:
            raise SpecError("the facts of the folder are missing", ("data", "name"))
        return given | _facts(given)

    @model_validator(mode="after")
    def _clean(self) -> Self:
        for name in self.classes or ():
            if clean_line(name, 200) != name or not name:
                raise SpecError("a class has a name that cannot be shown", ("data", "classes"))
        return self

    @property
    def dataset(self) -> DataSet:
        """The record of the data set."""
        if self.folder is None:
            return PUBLISHED[self.name]
        assert self.classes
        assert self.train_images
        assert self.test_images
        assert self.std
        return DataSet(
            name=self.name,
            title=self.name,
            classes=self.classes,
            train_images=self.train_images,
            test_images=self.test_images,
            mean=self.mean or 0.0,
            std=self.std,
            shape=(self.folder.channels, self.folder.size, self.folder.size),
            format="folder",
        )

    def dataset_for(self, choice: str) -> DataSet:
        """The record of what is read where `--dataset` says `choice`: its own, or the small digits in its place."""
        return SMALL_DIGITS if choice == SMALL_DIGITS.name else self.dataset

    @property
    def target_data(self) -> str:
        """The name of the data set that target and reported figures are of; on others they are not judged."""
        return self.target_of or self.name

    @property
    def folder(self) -> FolderOptions | None:
        """How the images of `folder:PATH` are read; None for a published data set."""
        if (path := path_of(self.name)) is None:
            return None
        return _options(path, self.model_dump())


_DEFAULTS: dict[str, Any] = {"size": SIZE, "channels": 1, "test_share": TEST_SHARE, "split_seed": 0}
_FACTS = ("classes", "train_images", "test_images", "mean", "std")


def _without_folder_keys(given: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    if extra := next((key for key in (*_DEFAULTS, *_FACTS) if key in given), None):
        raise SpecError(f"belongs to {FOLDER}PATH; {name} has its own", ("data", extra))
    return given


def _facts(given: Mapping[str, Any]) -> dict[str, Any]:
    """What the folder holds; {} where the options are wrong, which pydantic then says."""
    from mnist_tui.datasets.folder import read_facts

    try:
        options = _options(Path(given["name"].removeprefix(FOLDER)), given)
        facts = read_facts(options)
    except DataError as error:
        raise SpecError(str(error), ("data", "name")) from None
    except (TypeError, ValueError):
        return {}
    return {key: getattr(facts, key) for key in _FACTS}


def _options(path: Path, given: Mapping[str, Any]) -> FolderOptions:
    return FolderOptions(path, given["size"], given["channels"], given["test_share"], given["split_seed"])


ON_MNIST = DataSpec()
"""The data set of a preset that names none."""
