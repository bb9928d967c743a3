"""The training loop without a thread or a screen: what it yields, how it ends, and that it computes what it says."""

import dataclasses
import itertools
import math
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from mnist_tui.errors import SpecError
from mnist_tui.runs.control import Control
from mnist_tui.runs.events import EpochEnded, Event, Notice, Progress, RunEnded
from mnist_tui.spec.run_spec import RunSpec, make_spec
from mnist_tui.training import batches, build, group, loop
from mnist_tui.training.data import Dataset, Images
from mnist_tui.training.evaluation import Evaluation, evaluate
from mnist_tui.training.state import ORDER_STREAM, Splits, Training
from mnist_tui.training.step import TrainStep

DEEP = "Conv2d(4, 3)\nConv2d(4, 3)\nMaxPool2d(4)\nFlatten()\nLinear(10)"


@pytest.fixture(scope="module")
def splits(digits: Dataset) -> Splits:
    """300 images to train on, in batches of 64 with a smaller last one, and 100 to test on."""
    return Splits(digits.train.take(torch.arange(300)), None, digits.test.take(torch.arange(100)))


@pytest.fixture
def each_step(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every step is followed by a `Progress`."""
    monkeypatch.setattr(loop, "PROGRESS_SECONDS", 0)


def changed(spec: RunSpec, **settings: object) -> RunSpec:
    """The run with other settings of its recipe."""
    return spec.model_copy(update={"train": type(spec.train).model_validate({**spec.train.model_dump(), **settings})})


def with_val(splits: Splits, digits: Dataset) -> Splits:
    """The same images and 80 to choose the best epoch on."""
    return dataclasses.replace(splits, val=digits.train.take(torch.arange(300, 380)))


def run(training: Training, stop: Control | None = None) -> list[Event]:
    """All events of a run."""
    return list(loop.train(training, stop or Control()))


def rows_of(events: list[Event]) -> list[EpochEnded]:
    """The epochs of a run, less what a clock says."""
    rows = [event for event in events if isinstance(event, EpochEnded)]
    return [dataclasses.replace(row, seconds=0, images_per_second=0) for row in rows]


def end_of(events: list[Event]) -> RunEnded:
    """How a run ended."""
    ended = events[-1]
    assert isinstance(ended, RunEnded)
    return ended


def has_nan_or_inf(model: nn.Module) -> bool:
    """Whether a weight is not a number; without `isfinite`, which a test takes away."""
    weights = torch.cat([weight.detach().flatten() for weight in model.parameters()])
    return not (weights.abs() < math.inf).all().item()


# --- events ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("probability", [1.0, 0.5], ids=["no gradient", "control"])
def test_a_network_that_has_died_is_named(probability: float, splits: Splits) -> None:
    """Once, behind the row of the first epoch whose gradients were all 0; the run goes on."""
    layers = f"Flatten()\nLinear(10)\nDropout({probability})"
    spec = make_spec({"layers": layers, "train": {"epochs": 3, "batch_size": 64}})
    events = run(Training(spec, splits))
    after_first = events[events.index(next(event for event in events if isinstance(event, EpochEnded))) + 1]
    warnings = [event for event in events if isinstance(event, Notice)]

    assert [type(each) for each in events].count(EpochEnded) == 3
    assert warnings == ([after_first] if probability == 1 else [])
    assert all(each.is_warning and each.text.startswith("epoch 1: every gradient was 0") for each in warnings)


@pytest.mark.usefixtures("each_step")
def test_the_order_of_events(small_spec: RunSpec, splits: Splits) -> None:
    """Each epoch is its steps and then its row; the last event of all says how the run ended."""
    events = run(Training(small_spec, splits))
    names = [type(event).__name__ for event in events]
    steps = [(event.epoch, event.step) for event in events if isinstance(event, Progress)]
    rows = [event for event in events if isinstance(event, EpochEnded)]
    ended = end_of(events)

    assert names == [*["Progress"] * 5, "EpochEnded", *["Progress"] * 5, "EpochEnded", "RunEnded"]
    assert steps == list(itertools.product([1, 2], [1, 2, 3, 4, 5]))
    assert [row.epoch for row in rows] == [1, 2]
    assert (ended.outcome, ended.message, ended.epochs, ended.target) == ("completed", "all epochs trained", 2, None)
    assert ended.last == rows[-1]
    assert ended.best == max(rows, key=lambda row: row.test_accuracy)
    assert ended.seconds > 0
    assert all(row.seconds > 0 and row.images_per_second > 0 for row in rows)


def test_an_epoch_has_a_progress_however_short(small_spec: RunSpec, splits: Splits) -> None:
    """The end of an epoch is always reported, so that short epochs are seen too."""
    events = run(Training(changed(small_spec, batch_size=400), splits))

    assert [type(event).__name__ for event in events] == ["Progress", "EpochEnded"] * 2 + ["RunEnded"]


@pytest.mark.usefixtures("each_step")
def test_progress_adds_up_to_the_epoch(small_spec: RunSpec, splits: Splits) -> None:
    """Each `Progress` is the mean over the images since the last; together they are the epoch's mean."""
    events = run(Training(changed(small_spec, epochs=1), splits))
    losses = [event.loss for event in events if isinstance(event, Progress)]
    sizes = [64, 64, 64, 64, 44]
    mean = sum(loss * size for loss, size in zip(losses, sizes, strict=True)) / 300

    assert mean == pytest.approx(rows_of(events)[0].train_loss, abs=1e-9)


def test_a_network_without_weights_is_refused(splits: Splits) -> None:
    """A network without weights is refused."""
    spec = make_spec({"layers": "AdaptiveAvgPool2d((2, 5))\nFlatten()"})
    with pytest.raises(SpecError, match="nothing to train"):
        Training(spec, splits)


# --- against a loop by hand ------------------------------------------------------------------------------------------


def plain(pixels: Tensor) -> Tensor:
    """Pixels as torchvision's ToTensor and Normalize make them."""
    return (pixels / 255 - 0.1307) / 0.3081


@pytest.mark.parametrize(
    ("optimizer", "reference"), [("Adam(lr=0.01)", torch.optim.Adam), ("SGD(0.01)", torch.optim.SGD)]
)
def test_it_trains_as_a_plain_loop_does(
    optimizer: str, reference: type[torch.optim.Optimizer], small_spec: RunSpec, splits: Splits
) -> None:
    """The tutorial's loop on the same images in the same order has the same losses and accuracies."""
    # A bias before BatchNorm2d has a gradient of rounding errors, which Adam makes whole steps of.
    layers = small_spec.layers.replace("padding=1)", "padding=1, bias=False)")
    settings = {"optimizer": optimizer, "seed": "3", "dropout": "0", "layers": layers}
    spec = small_spec.with_settings(settings)
    rows = rows_of(run(Training(spec, splits)))
    torch.manual_seed(3)
    model = build.network(spec)
    stepper = reference(model.parameters(), lr=0.01, foreach=False)  # type: ignore[call-arg]  # each one's argument
    generator = torch.Generator().manual_seed(3 + ORDER_STREAM)
    expected = []
    for _ in range(2):
        model.train()
        total = correct = 0.0
        for index in torch.randperm(300, generator=generator).split(64):
            labels = splits.train.labels[index]
            logits = model(plain(splits.train.pixels[index]))
            loss = nn.functional.cross_entropy(logits, labels)
            stepper.zero_grad()
            loss.backward()
            stepper.step()
            total += loss.item() * len(index)
            correct += (logits.argmax(1) == labels).sum().item()
        model.eval()
        with torch.no_grad():
            test_loss = nn.functional.cross_entropy(model(plain(splits.test.pixels)), splits.test.labels).item()
        expected.append((total / 300, correct / 300, test_loss))

    for row, (train_loss, train_accuracy, test_loss) in zip(rows, expected, strict=True):
        assert row.train_loss == pytest.approx(train_loss, abs=1e-4)
        assert row.train_accuracy == pytest.approx(train_accuracy, abs=0.0034)  # One image of 300 may tip over.
        assert row.test_loss == pytest.approx(test_loss, abs=1e-4)


AUGMENT = ["RandomRotation(15)", "RandomInvert(p=0.1)"]


def test_the_seed_is_the_run(small_spec: RunSpec, splits: Splits) -> None:
    """The same seed gives the same run to the last bit, with dropout and augmentation; another seed gives another."""
    spec = changed(small_spec, augment=AUGMENT)
    first = Training(spec, splits)
    rows = rows_of(run(first))
    torch.manual_seed(77)
    again = Training(spec, splits)
    rows_again = rows_of(run(again))
    others = [rows_of(run(Training(changed(spec, seed=seed), splits))) for seed in (1, 2)]
    states = zip(first.model.state_dict().values(), again.model.state_dict().values(), strict=True)

    assert rows == rows_again
    assert all(torch.equal(a, b) for a, b in states)
    assert rows != others[0] != others[1] != rows


@pytest.mark.usefixtures("each_step")
def test_being_watched_changes_nothing(small_spec: RunSpec, splits: Splits, monkeypatch: pytest.MonkeyPatch) -> None:
    """How often the loop reports does not change what it computes."""
    often = rows_of(run(Training(small_spec, splits)))
    monkeypatch.setattr(loop, "PROGRESS_SECONDS", 1000)

    assert rows_of(run(Training(small_spec, splits))) == often


def test_bfloat16_on_the_cpu(small_spec: RunSpec, splits: Splits) -> None:
    """Half precision trains about as well, with weights in float32."""
    spec = changed(small_spec, epochs=4)
    training = Training(changed(spec, precision="bfloat16"), splits)
    half, single = rows_of(run(training)), rows_of(run(Training(spec, splits)))

    assert all(weight.dtype == torch.float32 for weight in training.model.parameters())
    assert half != single
    assert half[-1].train_loss == pytest.approx(single[-1].train_loss, abs=0.05)
    assert half[-1].train_loss < half[0].train_loss


# --- how a run ends --------------------------------------------------------------------------------------------------


def test_stopped_before_the_first_step(small_spec: RunSpec, splits: Splits) -> None:
    """A run that is stopped at once takes no step."""
    stop = Control()
    stop.stop()
    training = Training(small_spec, splits)
    before = {key: value.clone() for key, value in training.model.state_dict().items()}
    events = run(training, stop)

    assert len(events) == 1
    assert (end_of(events).outcome, end_of(events).epochs, end_of(events).best) == ("stopped", 0, None)
    assert all(torch.equal(value, before[key]) for key, value in training.model.state_dict().items())


@pytest.mark.parametrize(("at", "epoch", "steps"), [(1, 1, 1), (3, 1, 3), (7, 2, 2)])
def test_stopped_within_a_step(at: int, epoch: int, steps: int, small_spec: RunSpec, splits: Splits) -> None:
    """The step during which the stop comes is the last."""
    stop, taken = Control(), itertools.count(1)
    training = Training(changed(small_spec, epochs=9), splits)
    training.optimizer.register_step_post_hook(lambda *_: stop.stop() if next(taken) == at else None)
    events = run(training, stop)

    assert end_of(events).outcome == "stopped"
    assert end_of(events).message == f"stopped in epoch {epoch} after {steps} steps"
    assert (training.epoch, training.steps_done) == (epoch, steps)
    assert next(taken) == at + 1


def test_stopped_before_an_evaluation(small_spec: RunSpec, splits: Splits) -> None:
    """A stop in an epoch's last step does not wait for the evaluation; resuming evaluates it, to the same row."""
    stop, taken = Control(), itertools.count(1)
    training = Training(small_spec, splits)
    training.optimizer.register_step_post_hook(lambda *_: stop.stop() if next(taken) == 5 else None)
    events = run(training, stop)
    stood = (training.epoch, training.steps_done, list(training.rows))
    rows = [event for event in run(training) if isinstance(event, EpochEnded)]
    whole = [event for event in run(Training(small_spec, splits)) if isinstance(event, EpochEnded)]

    assert end_of(events).message == "stopped in epoch 1 before it was evaluated"
    assert stood == (1, 5, [])
    assert [untimed(row) for row in rows] == [untimed(row) for row in whole]


def untimed(row: EpochEnded) -> EpochEnded:
    """A row without what differs between two runs that are otherwise the same."""
    return dataclasses.replace(row, seconds=0, images_per_second=0)


def poisoned(spec: RunSpec, splits: Splits, at: int, value: float) -> Training:
    """A run in whose step number `at` one number of one gradient is `value`."""
    training = Training(spec, splits)
    passes = itertools.count(1)

    def poison(gradient: Tensor) -> Tensor:
        if next(passes) == at:
            gradient = gradient.clone()
            gradient.view(-1)[0] = value
        return gradient

    list(training.model.parameters())[-1].register_hook(poison)
    return training


OPTIMIZERS = ["Adam(lr=0.01)", "SGD(lr=0.01, momentum=0.9)", "Adadelta()"]


@pytest.mark.parametrize("clip", [None, 1.0])
@pytest.mark.parametrize("value", [math.nan, math.inf])
@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_a_gradient_that_is_not_finite(
    optimizer: str, value: float, clip: float | None, small_spec: RunSpec, splits: Splits
) -> None:
    """The run ends before the step is taken, and says in which one; all weights are numbers."""
    training = poisoned(changed(small_spec, optimizer=optimizer, clip_grad_norm=clip), splits, 7, value)
    events = run(training)

    assert end_of(events).outcome == "diverged"
    assert "no longer finite in epoch 2, step 2;" in end_of(events).message
    assert (training.epoch, training.steps_done, end_of(events).epochs) == (2, 1, 1)
    assert end_of(events).last == training.rows[0]
    assert not has_nan_or_inf(training.model)


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_a_step_on_a_gradient_that_is_not_finite(
    optimizer: str, small_spec: RunSpec, splits: Splits, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Negative control: without the look at loss and gradient the weights are lost."""
    monkeypatch.setattr(TrainStep, "_is_finite", lambda self, loss: True)
    training = poisoned(changed(small_spec, optimizer=optimizer), splits, 7, math.nan)
    run(training)

    assert has_nan_or_inf(training.model)


@pytest.mark.parametrize("is_checked", [True, False])
def test_a_learning_rate_that_is_too_high(is_checked: bool, splits: Splits, monkeypatch: pytest.MonkeyPatch) -> None:
    """A loss that grows out of bounds ends the run with finite weights; negative control: unchecked, they are lost."""
    if not is_checked:
        monkeypatch.setattr(TrainStep, "_is_finite", lambda self, loss: True)
    spec = make_spec({"layers": DEEP, "train": {"epochs": 5, "batch_size": 64, "optimizer": "SGD(lr=10000.0)"}})
    training = Training(spec, splits)
    ended = end_of(run(training))

    assert has_nan_or_inf(training.model) != is_checked
    assert not is_checked or ended.outcome == "diverged"
    assert not is_checked or "lower learning rate" in ended.message


@pytest.mark.parametrize("part", ["test", "val"])
@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_an_evaluation_that_is_not_finite(
    value: float, part: str, small_spec: RunSpec, splits: Splits, digits: Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An epoch whose last step leads out of bounds has diverged: it is no row, no best epoch, and not complete."""
    given = with_val(splits, digits)
    calls = itertools.count()

    def out_of_bounds(model: nn.Module, images: Images, *rest: Any) -> Evaluation:
        is_last = next(calls) >= 2 and images is getattr(given, part)
        evaluation = evaluate(model, images, *rest)
        return dataclasses.replace(evaluation, loss=value) if is_last else evaluation

    monkeypatch.setattr(group, "evaluate", out_of_bounds)
    events = run(Training(small_spec, given))

    assert (end_of(events).outcome, end_of(events).epochs) == ("diverged", 1)
    assert [row.epoch for row in rows_of(events)] == [1]


# --- what is judged by -----------------------------------------------------------------------------------------------

Script = Callable[[Splits, list[float], list[float]], None]


@pytest.fixture
def scripted(monkeypatch: pytest.MonkeyPatch) -> Script:
    """Sets what evaluation finds, epoch by epoch: the accuracy (and the loss) on test and on validation images."""

    def set_script(splits: Splits, test: list[float], val: list[float]) -> None:
        values: dict[int, Iterator[float]] = {id(splits.test): iter(test), id(splits.val): iter(val)}

        def evaluate(model: nn.Module, images: Images, *settings: object) -> Evaluation:
            value = next(values[id(images)])
            return Evaluation(value, value, torch.tensor([round(100 * value)]), torch.zeros(0), torch.zeros(0, 10))

        monkeypatch.setattr(group, "evaluate", evaluate)

    return set_script


def test_the_best_epoch_is_the_validations(
    small_spec: RunSpec, splits: Splits, digits: Dataset, scripted: Script
) -> None:
    """With a split the validation accuracy chooses, whatever the test accuracy says; the first of equals wins."""
    both = with_val(splits, digits)
    scripted(both, [0.1, 0.2, 0.9, 0.3], [0.4, 0.8, 0.7, 0.8])
    training = Training(changed(small_spec, epochs=4), both)
    ended = end_of(run(training))

    assert ended.chosen_by == "validation"
    assert ended.best == training.rows[1]
    assert (training.rows[1].val_accuracy, training.rows[1].test_accuracy) == (0.8, 0.2)
    assert training.best_evaluation is not None
    assert training.best_evaluation.predictions.tolist() == [20]


def test_the_best_epoch_without_a_split(small_spec: RunSpec, splits: Splits, scripted: Script) -> None:
    """Without a split the test accuracy chooses, and the run says so."""
    scripted(splits, [0.1, 0.9, 0.2], [])
    training = Training(changed(small_spec, epochs=3), splits)
    ended = end_of(run(training))

    assert ended.chosen_by == "test"
    assert ended.best == training.rows[1]
    assert (training.rows[1].val_loss, training.rows[1].val_accuracy) == (None, None)


@pytest.mark.parametrize(
    ("accuracies", "settings", "epochs", "reason"),
    [
        ([0.1, 0.5, 0.4, 0.5, 0.9], {"patience": 2}, 4, "no better epoch than 2 in 2 epochs"),
        ([0.1, 0.5, 0.4, 0.6, 0.9], {"patience": 2}, 5, "all epochs trained"),
        ([0.5, 0.5, 0.5, 0.5, 0.5], {"patience": 1}, 2, "no better epoch than 1 in 1 epochs"),
        ([0.5, 0.5, 0.5, 0.5, 0.5], {"patience": 4}, 5, "no better epoch than 1 in 4 epochs"),
        ([0.1, 0.5, 0.7, 0.6, 0.9], {"stop_at_accuracy": 0.7}, 3, "reached 70.00% in epoch 3"),
        ([0.7, 0.5, 0.7, 0.6, 0.9], {"stop_at_accuracy": 0.7}, 1, "reached 70.00% in epoch 1"),
        ([0.1, 0.5, 0.7, 0.6, 0.9], {"stop_at_accuracy": 1.0}, 5, "all epochs trained"),
    ],
)
@pytest.mark.parametrize("has_val", [False, True])
def test_stopping_early(
    has_val: bool,
    accuracies: list[float],
    settings: dict[str, float],
    epochs: int,
    reason: str,
    small_spec: RunSpec,
    splits: Splits,
    digits: Dataset,
    scripted: Script,
) -> None:
    """The recipe's rules look at the validation accuracy, without a split at the test's; the run is then complete."""
    given = with_val(splits, digits) if has_val else splits
    others = [0.01 * epoch for epoch in range(5, 0, -1)]
    scripted(given, others if has_val else accuracies, accuracies)
    ended = end_of(run(Training(changed(small_spec, epochs=5, **settings), given)))

    assert (ended.outcome, ended.epochs, ended.message) == ("completed", epochs, reason)


@pytest.mark.parametrize("mode", ["min", "max"])
@pytest.mark.parametrize("has_val", [False, True])
def test_a_plateau(
    has_val: bool, mode: str, small_spec: RunSpec, splits: Splits, digits: Dataset, scripted: Script
) -> None:
    """ReduceLROnPlateau looks at the validation; without a split at training, which gets better: never at the test."""
    given = with_val(splits, digits) if has_val else splits
    scripted(given, [0.5] * 4, [0.5] * 4)
    scheduler = f"ReduceLROnPlateau(mode={mode!r}, factor=0.1, patience=0)"
    spec = changed(small_spec, epochs=4, scheduler=scheduler)
    rows = rows_of(run(Training(spec, given)))
    rates = [0.01, 0.01, 0.001, 0.0001] if has_val else [0.01] * 4

    assert [row.learning_rate for row in rows] == pytest.approx(rates)


def test_the_target_is_judged(small_spec: RunSpec, splits: Splits) -> None:
    """The end of a run says for each part of the target whether it was met."""
    document = {
        **small_spec.model_dump(mode="json", exclude_none=True),
        "target": {"parameters": 10, "test_accuracy": 0.0},
    }
    ended = end_of(run(Training(make_spec(document), splits)))

    assert ended.target is not None
    assert list(ended.target.values()) == [False, True]


# --- gradients -------------------------------------------------------------------------------------------------------


def norms(training: Training) -> list[float]:
    """The gradient's 2-norm at each step of a run, as the optimizer sees it."""
    values = []
    weights = list(training.model.parameters())

    def note(*_: object) -> None:
        gradient = torch.cat([weight.grad.flatten() for weight in weights if weight.grad is not None])
        values.append(gradient.norm().item())

    training.optimizer.register_step_pre_hook(note)
    run(training)
    return values


def test_the_gradient_is_clipped(small_spec: RunSpec, splits: Splits) -> None:
    """No step sees a longer gradient than allowed; negative control: without the setting they are longer."""
    clipped = norms(Training(changed(small_spec, clip_grad_norm=0.5), splits))
    free = norms(Training(small_spec, splits))

    assert len(clipped) == len(free) == 10
    assert max(clipped) <= 0.5 * 1.00001
    assert free[0] > 0.5
    assert clipped[0] == pytest.approx(0.5, rel=1e-4)


def test_a_short_gradient_is_left_alone(small_spec: RunSpec, splits: Splits) -> None:
    """A limit that is never reached changes nothing, not even the last bit."""
    limited = rows_of(run(Training(changed(small_spec, clip_grad_norm=1e6), splits)))

    assert limited == rows_of(run(Training(small_spec, splits)))


def norms_by_hand(spec: RunSpec, splits: Splits) -> tuple[float, float, float]:
    """A plain float64 loop over one epoch: the gradient's mean norm before and after clipping, the weights' norm."""
    torch.manual_seed(spec.train.seed)
    model = build.network(spec).double()
    parameters = list(model.parameters())
    optimizer = torch.optim.SGD(parameters, lr=0.1)
    generator = torch.Generator().manual_seed(spec.train.seed + ORDER_STREAM)
    before, after = [], []
    for index in torch.randperm(300, generator=generator).split(64):
        optimizer.zero_grad()
        logits = model(plain(splits.train.pixels[index]).double())
        nn.functional.cross_entropy(logits, splits.train.labels[index]).backward()
        before.append(norm_of([one.grad for one in parameters if one.grad is not None]))
        nn.utils.clip_grad_norm_(parameters, spec.train.clip_grad_norm or math.inf)
        after.append(norm_of([one.grad for one in parameters if one.grad is not None]))
        optimizer.step()
    return sum(before) / len(before), sum(after) / len(after), norm_of([one.detach() for one in parameters])


def norm_of(tensors: list[Tensor]) -> float:
    """The 2-norm of all numbers of some tensors, one by one."""
    return math.sqrt(math.fsum(number * number for tensor in tensors for number in tensor.flatten().tolist()))


@pytest.mark.parametrize("clip", [None, 0.5])
@pytest.mark.parametrize("fuse", [True, False])
def test_the_norms_of_an_epoch(fuse: bool, clip: float | None, small_spec: RunSpec, splits: Splits) -> None:
    """They are those of a plain float64 loop; negative control: clipped gradients have another mean norm."""
    settings = {"epochs": "1", "dropout": "0", "optimizer": "SGD(lr=0.1)", "clip_grad_norm": str(clip)}
    spec = small_spec.with_settings(settings)
    (row,) = rows_of(run(Training(spec, splits, fuse)))
    gradient_norm, clipped_norm, weight_norm = norms_by_hand(spec, splits)

    assert row.gradient_norm == pytest.approx(gradient_norm, rel=1e-4)
    assert row.weight_norm == pytest.approx(weight_norm, rel=1e-5)
    assert clip is None or row.gradient_norm != pytest.approx(clipped_norm, rel=0.1)


# --- evaluation ------------------------------------------------------------------------------------------------------


@pytest.fixture
def trained(small_spec: RunSpec, splits: Splits) -> Training:
    """A run of one epoch, with running statistics that are no longer their initial ones."""
    training = Training(changed(small_spec, epochs=1), splits)
    run(training)
    return training


def state(training: Training) -> list[Tensor]:
    """Weights, gradients, running statistics and torch's random numbers."""
    gradients = [weight.grad for weight in training.model.parameters() if weight.grad is not None]
    tensors = [*training.model.state_dict().values(), *gradients, torch.get_rng_state()]
    return [tensor.clone() for tensor in tensors]


@pytest.mark.parametrize("is_evaluation", [True, False])
def test_evaluation_changes_nothing(is_evaluation: bool, trained: Training) -> None:
    """No weight, statistic or random number is touched; negative control: a pass in train mode touches them."""
    test = trained.splits.test
    trained.forward_model.train()
    before = state(trained)
    if is_evaluation:
        evaluate(trained.forward_model, test, 30, (0.1307, 0.3081))
    else:
        trained.forward_model(batches.normalise(test.pixels, 0.1307, 0.3081))
    equal = [torch.equal(a, b) for a, b in zip(before, state(trained), strict=True)]

    assert trained.forward_model.training
    assert all(module.training for module in trained.forward_model)
    assert all(equal) == is_evaluation


@pytest.mark.parametrize("batch_size", [1, 30, 100, 250])
def test_evaluation_is_plain_evaluation(batch_size: int, trained: Training) -> None:
    """Loss, accuracy and answers are those of one pass over all images, whatever the batch size."""
    test = trained.splits.test
    evaluation = evaluate(trained.forward_model, test, batch_size, (0.1307, 0.3081))
    with torch.no_grad():
        logits = trained.model.eval()(plain(test.pixels))
    of_truth = logits.softmax(1)[torch.arange(100), test.labels]

    assert evaluation.loss == pytest.approx(nn.functional.cross_entropy(logits, test.labels).item(), abs=1e-6)
    assert evaluation.accuracy == pytest.approx((logits.argmax(1) == test.labels).float().mean().item(), abs=1e-6)
    assert torch.equal(evaluation.predictions, logits.argmax(1).to(torch.uint8))
    torch.testing.assert_close(evaluation.probabilities, of_truth, rtol=0, atol=1e-6)
    torch.testing.assert_close(evaluation.log_probs, logits.log_softmax(1), rtol=0, atol=1e-5)


def test_the_row_is_evaluate_on_the_epochs_weights(trained: Training) -> None:
    """What the history says of an epoch is what evaluation finds on the weights the epoch ended with."""
    evaluation = evaluate(trained.model, trained.splits.test, 250, (0.1307, 0.3081))

    assert trained.rows[-1].test_loss == pytest.approx(evaluation.loss, abs=1e-6)
    assert trained.rows[-1].test_accuracy == evaluation.accuracy
    assert trained.best_evaluation is not None
    assert torch.equal(trained.best_evaluation.predictions, evaluation.predictions)
