"""What saved runs say about digits is what their evaluation says, quickly, and says how stable it is."""

import statistics
import time
from pathlib import Path

import pytest
import torch
from helpers.reliability import few_images, run, small_spec

from mnist_tui.errors import CheckpointError, RunError
from mnist_tui.images.move import rotate, shift
from mnist_tui.runs.events import RunStarted, best_of
from mnist_tui.runs.history import read_history
from mnist_tui.spec import presets
from mnist_tui.training import build, classify
from mnist_tui.training.classify import ANGLES, SHIFTS, Classifier, Stability, Variant

DIGITS = tuple(bytes(image.flatten().tolist()) for image in few_images().test.pixels)


def trained(runs_dir: Path, steps: int = 10_000, **recipe: object) -> Path:
    """The folder of a run."""
    started = next(event for event in list(run(runs_dir, small_spec(**recipe), steps)) if isinstance(event, RunStarted))
    return Path(started.folder)


def test_probabilities_are_the_runs(tmp_path: Path) -> None:
    """They sum to 1, and have the accuracy of the best epoch, normalised as its recipe says."""
    folder = trained(tmp_path, normalize=(0.3, 0.2), epochs=4)
    best = best_of(read_history(folder))
    probabilities = Classifier(folder).classify(DIGITS)
    labels = [max(range(10), key=one.__getitem__) for one in probabilities]

    assert best is not None
    assert [len(one) for one in probabilities] == [10] * len(DIGITS)
    assert [sum(one) for one in probabilities] == pytest.approx([1] * len(DIGITS))
    correct = sum(map(int.__eq__, labels, few_images().test.labels.tolist()))
    assert correct / len(DIGITS) == pytest.approx(best.test_accuracy)


def test_one_digit_or_many(tmp_path: Path) -> None:
    """The prediction of a digit does not depend on the others in the batch; no digits give no predictions."""
    classifier = Classifier(trained(tmp_path))
    together = classifier.classify(DIGITS)

    assert classifier.classify(()) == ()
    for digit, probabilities in list(zip(DIGITS, together, strict=True))[:5]:
        assert classifier.classify([digit])[0] == pytest.approx(probabilities, abs=1e-6)


def test_the_network_is_kept(tmp_path: Path) -> None:
    """The run folder is read once."""
    folder = trained(tmp_path)
    classifier = Classifier(folder)
    first = classifier.classify(DIGITS)
    for path in folder.iterdir():
        path.unlink()

    assert classifier.classify(DIGITS) == first


def test_several_runs(tmp_path: Path) -> None:
    """Each run is classified by its own network and normalisation."""
    folders = [trained(tmp_path / str(seed), seed=seed, normalize=(0.1 + seed / 10, 0.3)) for seed in (0, 1)]
    together = [classifier.classify(DIGITS) for classifier in map(Classifier, folders)]

    assert together == [Classifier(folder).classify(DIGITS) for folder in folders]
    assert together[0] != together[1]


def test_no_run_and_no_weights(tmp_path: Path) -> None:
    """A folder without a run or without weights raises the errors of `load_network`."""
    with pytest.raises(RunError, match="no such run folder"):
        Classifier(tmp_path / "nothing")
    with pytest.raises(CheckpointError, match="has no epoch yet"):
        Classifier(trained(tmp_path, steps=2))


# --- stability ---


def test_variants_are_the_moved_digits(tmp_path: Path) -> None:
    """24 shifts and 4 rotations, each with the answer that the moved digit gets by itself."""
    classifier, digit = Classifier(trained(tmp_path)), DIGITS[0]
    stability = classifier.stability(digit)
    answers = {variant.change: variant.probabilities for variant in stability.variants}

    assert len(answers) == len(SHIFTS) + len(ANGLES) == 28
    assert stability.probabilities == pytest.approx(classifier.classify([digit])[0], abs=1e-6)
    for change, moved in (
        ("right 1, down -2", shift(digit, 1, -2)),
        ("right -2, down 0", shift(digit, -2, 0)),
        ("rotate 10", rotate(digit, 10)),
        ("rotate -5", rotate(digit, -5)),
    ):
        assert answers[change] == pytest.approx(classifier.classify([moved])[0], abs=1e-6)


def test_agreement_and_range() -> None:
    """The share of the variants with the digit's class, and between what its probability moves."""

    def give(label: int, probability: float) -> tuple[float, ...]:
        return tuple(probability if digit == label else (1 - probability) / 9 for digit in range(10))

    stability = Stability(
        give(3, 0.9),
        (Variant("rotate 5", give(3, 0.8)), Variant("rotate 10", give(8, 0.7)), Variant("x", give(3, 0.5))),
    )

    assert stability.label == 3
    assert stability.agreement == pytest.approx(2 / 3)
    assert list(stability.range) == pytest.approx([0.3 / 9, 0.8])


# --- speed and side effects ---


def test_three_networks_in_30_milliseconds(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One digit and three iter5 networks on one thread: the median of 20 is under 30 ms."""
    torch.set_num_threads(1)
    folder = trained(tmp_path)
    monkeypatch.setattr(classify, "load_network", lambda folder: build.network(presets.load("iter5")).eval())
    classifiers = [Classifier(folder) for _ in range(3)]
    seconds = []
    for digit in DIGITS[:20]:
        started = time.perf_counter()
        for classifier in classifiers:
            classifier.classify([digit])
        seconds.append(time.perf_counter() - started)

    print(f"three networks: {1000 * statistics.median(seconds):.1f} ms")
    assert statistics.median(seconds) < 0.03


def test_nothing_of_the_process_is_changed(tmp_path: Path) -> None:
    """Classifying changes no random state, threads or gradient mode."""
    folder = trained(tmp_path)

    def state() -> list[object]:
        return [torch.get_rng_state().tolist(), torch.get_num_threads(), torch.is_grad_enabled()]

    before = state()
    Classifier(folder).stability(DIGITS[0])

    assert state() == before
