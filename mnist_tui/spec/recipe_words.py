"""The recipe of a run, its data set, its target and the published figures, in words."""

from mnist_tui.datasets import names
from mnist_tui.spec.data_spec import ON_MNIST
from mnist_tui.spec.recipe import Target
from mnist_tui.spec.run_spec import RunSpec


def recipe(spec: RunSpec) -> str:
    """The recipe, the target and the reported numbers, a line each."""
    train = spec.train
    lines = [
        f"epochs           {train.epochs}, batch size {train.batch_size}, "
        f"{spec.steps_per_epoch():,} steps an epoch, {spec.steps_per_epoch() * train.epochs:,} in all",
        f"optimizer        {train.optimizer}"
        + (f", no decay of {', '.join(train.no_decay)}" if train.no_decay else ""),
        f"scheduler        {train.scheduler or 'none'}" + (" in bursts" if train.scheduler_step == "burst" else ""),
        f"loss             {train.loss}",
        f"augment          {', '.join(map(str, train.augment)) or 'none'}",
    ]
    if train.mixup:
        lines[-1] += f", mixup with alpha {train.mixup:g}"
    if train.average:
        lines.insert(2, f"average          {train.average} of the weights")
    if spec.knobs:
        lines.append(f"knobs            {', '.join(f'{name}={value}' for name, value in spec.knobs.items())}")
    if train.validation_images:
        of_all = f"{train.validation_images:,} of the {spec.dataset.train_images:,} training images"
        lines.append(f"validation       {of_all}, by seed {train.seed}")
    if spec.data != ON_MNIST:
        lines.insert(0, f"data             {data_words(spec)}")
    if described := target_words(spec.target):
        lines.append(f"target           {described}{_not_judged(spec)}")
    return "\n".join([*lines, *_reported_lines(spec)])


def data_words(spec: RunSpec) -> str:
    """`Fashion-MNIST: 60,000 training and 10,000 test images, 1x28x28, 10 classes`."""
    data = spec.dataset
    shape = "x".join(map(str, data.shape))
    return (
        f"{data.title}: {data.train_images:,} training and {data.test_images:,} test images, {shape}, "
        f"{len(data.classes)} classes"
    )


def of_data(spec: RunSpec) -> str:
    """` of MNIST` where target and published figures are of another data set than the spec's; else ""."""
    return "" if spec.target_data == spec.data.name else f" of {names.title(spec.target_data)}"


def _not_judged(spec: RunSpec) -> str:
    """That the target is of another data set; "" where it is of the spec's own."""
    return f"{of_data(spec)}, not judged on {spec.dataset.title}" if of_data(spec) else ""


def target_words(target: Target) -> str:
    """`fewer than 8,000 parameters, 99.40% on the test set, in each of the last 3 epochs`; "" for no target."""
    parts = [
        f"fewer than {target.parameters:,} parameters" if target.parameters else "",
        f"{target.test_accuracy:.2%} on the test set" if target.test_accuracy else "",
        _last_epochs_words(target.last_epochs, target.rule == "mean") if target.last_epochs else "",
        f"at most {target.epochs} epoch{'s' if target.epochs > 1 else ''}" if target.epochs else "",
    ]
    return ", ".join(part for part in parts if part)


def _last_epochs_words(count: int, is_mean: bool) -> str:
    """The epochs that must reach an accuracy: `in the last epoch`, `in each of the last 3 epochs`."""
    if count == 1:
        return "in the last epoch"
    return f"as the mean of the last {count} epochs" if is_mean else f"in each of the last {count} epochs"


def _reported_lines(spec: RunSpec) -> list[str]:
    reported = spec.reported
    if reported is None:
        return []
    accuracy = f"{reported.accuracy:.2%} on {reported.measured_on}" if reported.accuracy is not None else "no accuracy"
    epoch = f", epoch {reported.epoch}" if reported.epoch else ""
    return [
        f"reported         {accuracy}{of_data(spec)}{epoch}",
        *(f"note             {note}" for note in reported.notes),
    ]
