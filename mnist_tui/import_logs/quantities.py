"""Names and numbers in a line or a heading: `Train Loss: 0.30, Val Acc: 98.1%`, `val_loss`, `Accuracy: 9912/10000`.

A word for the images (train, val, test) holds for every quantity behind it, up to the next such word; without one a
quantity is of the training images.
"""

import re
from collections.abc import Iterator

from mnist_tui.import_logs.readings import Number, Unit

_ROLE = r"(?P<role>train(?:ing)?|val(?:id(?:at(?:ion|ing))?)?|dev|test(?:ing)?|eval(?:uat(?:ion|ing))?)(?![a-z])"
_OTHER = r"(?P<other>best|final|max(?:imum)?|highest|min(?:imum)?|lowest|total|top.?\d)(?![a-z])"
_NAME = r"(?P<name>loss|acc(?:uracy)?|lr|learning.?rate)(?![a-z])"
_NUMBER = r"(?P<number>[-+]?(?:\d{1,15}(?:\.\d{0,20})?|\.\d{1,20})(?:e[-+]?\d{1,3})?|nan|[-+]?inf)(?![\w.]*[a-z])"
_VALUE = (
    rf"(?:\s?\((?P<inner>%|percent|avg|mean)\))?[\s*]{{0,8}}[:=]?[\s*\[]{{0,8}}{_NUMBER}"
    r"(?:\s?/\s?(?P<of>\d{1,12}))?\s?(?P<percent>%)?"
)
_SECONDS = r"time[\s:=(s)]{0,8}(?P<seconds>\d{1,7}(?:\.\d{1,9})?)\s?s(?:ec(?:onds?)?)?(?![a-z])"
_TOKEN = re.compile(rf"(?<![a-z])(?:{_ROLE}|{_OTHER}|{_NAME}{_VALUE}|{_SECONDS})", re.IGNORECASE)
_LABEL = re.compile(rf"(?<![a-z])(?:{_ROLE}|{_OTHER}|{_NAME})", re.IGNORECASE)
_HINT = re.compile(
    r"(?<![a-z])epochs?(?![a-z])\W{0,5}\d|(?<![a-z])(?:loss|acc|accuracy)(?![a-z])\W{0,10}\d", re.IGNORECASE
)
_KNOWN = re.compile(
    rf"(?<![a-z])(?:{_OTHER}|improved?|saved?|saving|stopp(?:ed|ing)|restor(?:ed|ing)|patience|adjusting|target)",
    re.IGNORECASE,
)
"""Words of lines that speak of epochs, such as `Adjusting learning rate`, but tell no numbers of one."""
_NEAR = 25
"""Characters between `best` and the quantity that it belongs to."""


def values_in(text: str) -> dict[str, Number]:
    """The quantities that a line names, by the names of `EpochEnded`'s fields; of equal names the first counts."""
    values: dict[str, Number] = {}
    role, ignored_until = "train", 0
    for match in _TOKEN.finditer(text):
        if match["role"]:
            role = _role(match["role"])
        elif match["other"]:  # `best val acc 98.1` is of another epoch, `(best 98.1), loss 0.2` is not.
            end = re.compile(r"[,;|)]").search(text, match.end())
            ignored_until = min(match.end() + _NEAR, end.start() if end else len(text))
        elif match["seconds"]:
            values.setdefault("seconds", Number(float(match["seconds"])))
        elif match.start() >= ignored_until and (name := _field(match["name"], role)):
            values.setdefault(name, _number(match))
    return values


def looks_like_epoch(text: str) -> bool:
    """Whether a line seems to tell numbers of an epoch, or its beginning, to somebody who reads it."""
    return bool(_HINT.search(text)) and not _KNOWN.search(text)


def _role(word: str) -> str:
    """`train`, `val` or `test`; "" for an evaluation that does not say of which images."""
    word = word.lower()
    return "val" if word == "dev" else next((role for role in ("train", "val", "test") if word.startswith(role)), "")


def _field(name: str, role: str) -> str:
    """The field of `EpochEnded` of a quantity; "" where its images are not known."""
    name = name.lower()
    kind = "loss" if name == "loss" else "accuracy" if name.startswith("acc") else "learning_rate"
    return kind if kind == "learning_rate" else f"{role}_{kind}" if role else ""


def _number(match: re.Match[str]) -> Number:
    value, of = float(match["number"]), int(match["of"] or 0)
    is_accuracy = match["name"].lower().startswith("acc")
    if is_accuracy and of and match["number"].isdigit():
        return Number(value / of, "count", images=of)
    unit: Unit = "%" if is_accuracy and (match["percent"] or match["inner"] in ("%", "percent")) else ""
    return Number(value, unit)


def fields_of(labels: Iterator[str]) -> Iterator[tuple[str, Unit]]:
    """For each label of a column or curve (`val_loss`, `Accuracy/test`) its field of `EpochEnded`; "" for an unknown.

    With the unit that it names. As in a line, a bare name is of the images that the label before it named.
    """
    role = "train"
    for label in labels:
        tokens = list(_LABEL.finditer(label))
        roles = [_role(match["role"]) for match in tokens if match["role"]]
        names = [match["name"] for match in tokens if match["name"]]
        role = ("" if "" in roles else roles[0]) if roles else role
        is_other = any(match["other"] for match in tokens) or label.lower().endswith("_step") or len(names) != 1
        yield "" if is_other else _field(names[0], role), "%" if "%" in label or "percent" in label.lower() else ""
