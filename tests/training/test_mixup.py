"""mixup: images and losses are mixed as in the paper, the shares are those of a Beta distribution and of the seed."""

import pytest
import torch
from helpers.reliability import few_images, new_training, small_spec
from torch import Tensor, nn
from torch.nn.functional import cross_entropy, one_hot

from mnist_tui.training import build, mixup
from mnist_tui.training.state import Splits, Training

ALPHA = 0.4
MIXED = small_spec(mixup=ALPHA, optimizer="SGD(lr=0.05, momentum=0.9)", scheduler=None)
STEPS = 5


def shares_of(alpha: float, seed: int = 0, steps: int = 100_000) -> Tensor:
    """Many shares."""
    return mixup.draw_shares(alpha, steps, torch.Generator().manual_seed(seed))


@pytest.mark.parametrize("alpha", [0.1, 0.4, 1.0, 8.0])
def test_shares_are_those_of_a_beta_distribution(alpha: float) -> None:
    """Mean and variance, and the share of values near an end, of Beta(alpha, alpha)."""
    shares = shares_of(alpha)
    expected = torch.from_numpy(torch.distributions.Beta(alpha, alpha).sample((100_000,)).numpy())

    assert shares.mean().item() == pytest.approx(0.5, abs=0.01)
    assert shares.var().item() == pytest.approx(1 / (4 * (2 * alpha + 1)), rel=0.03)
    assert (shares < 0.1).double().mean().item() == pytest.approx((expected < 0.1).double().mean().item(), abs=0.01)


def test_shares_are_those_of_the_generator() -> None:
    """The same state gives the same shares, and another others."""
    assert torch.equal(shares_of(ALPHA), shares_of(ALPHA))
    assert not torch.equal(shares_of(ALPHA), shares_of(ALPHA, seed=1))


def test_shares_of_an_epoch_leave_its_order_as_it_is() -> None:
    """A recipe without mixup draws what it drew before there was any; epochs have shares of their own."""
    mixed, plain = new_training(MIXED), new_training(small_spec(scheduler=None))
    order, _, shares = mixed.draw_epoch()
    other_order, _, none = plain.draw_epoch()
    mixed.epoch_start = mixed.generator.get_state()
    _, _, next_shares = mixed.draw_epoch()

    assert torch.equal(order, other_order)
    assert none is None
    assert shares is not None
    assert next_shares is not None
    assert not torch.equal(shares, next_shares)


def test_a_mixed_loss_is_that_of_mixed_labels() -> None:
    """The loss of the paper: cross-entropy with the labels as probabilities, mixed like the images."""
    generator = torch.Generator().manual_seed(0)
    logits, labels = torch.randn(6, 10, generator=generator), torch.tensor([3, 1, 4, 1, 5, 9])
    share = torch.tensor(0.3)
    classes = one_hot(labels, 10).float()
    own, others = cross_entropy(logits, labels), cross_entropy(logits, mixup.partners(labels))
    expected = cross_entropy(logits, share * classes + (1 - share) * classes.roll(1, 0))

    torch.testing.assert_close(mixup.mix_losses(own, others, share), expected)


def test_each_network_of_a_stack_has_its_own_share() -> None:
    """Images (N, S, H, W) and labels (N, S): partners come from the same network's batch."""
    images = torch.arange(3 * 2 * 4).view(3, 2, 2, 2).float()
    shares = torch.tensor([1.0, 0.25])
    labels = torch.tensor([[1, 4], [2, 5], [3, 6]])
    mixed = mixup.mix_images(images, shares)

    assert torch.equal(mixed[:, 0], images[:, 0])
    torch.testing.assert_close(mixed[1, 1], 0.25 * images[1, 1] + 0.75 * images[0, 1])
    torch.testing.assert_close(mixed[0, 1], 0.25 * images[0, 1] + 0.75 * images[2, 1])
    assert mixup.main_labels(labels, shares).tolist() == [[1, 6], [2, 4], [3, 5]]


def trained_by_hand() -> tuple[list[Tensor], list[float], list[int]]:
    """Weights, losses and correct predictions of an epoch of a loop written after the paper's algorithm."""
    images = few_images()
    training = Training(MIXED, Splits(images.train, None, images.test), fuse=False)
    training.begin_epoch()
    batches = [training.batches.take() for _ in range(STEPS)]
    shares = training.step.shares.tolist()
    training.batches.close()
    torch.manual_seed(MIXED.train.seed)
    model = build.network(MIXED).to(memory_format=torch.channels_last)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.05, momentum=0.9)
    losses, correct = [], []
    for (inputs, labels), share in zip(batches, shares, strict=True):
        others = [index - 1 for index in range(len(labels))]
        logits = model(share * inputs + (1 - share) * inputs[others])
        loss = share * nn.functional.cross_entropy(logits, labels)
        loss = loss + (1 - share) * nn.functional.cross_entropy(logits, labels[others])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
        correct.append(int((logits.argmax(1) == (labels if share >= 0.5 else labels[others])).sum()))
    return [weight.detach() for weight in model.parameters()], losses, correct


@pytest.mark.parametrize("fuse", [False, True])
def test_steps_are_those_of_a_loop_by_hand(fuse: bool) -> None:
    """Losses, training accuracy and weights, up to rounding."""
    images = few_images()
    training = Training(MIXED, Splits(images.train, None, images.test), fuse)
    training.begin_epoch()
    for _ in range(STEPS):
        training.step(*training.batches.take())
    training.batches.close()
    weights, losses, correct = trained_by_hand()

    assert training.step.losses.tolist() == pytest.approx(losses, rel=1e-3)
    assert training.step.correct.tolist() == correct
    for weight, expected in zip(training.model.parameters(), weights, strict=True):
        torch.testing.assert_close(weight.detach(), expected, rtol=1e-2, atol=1e-3)


def test_a_share_that_is_not_used_is_seen() -> None:
    """Negative control: without mixing the losses are others."""
    plain = new_training(small_spec(optimizer="SGD(lr=0.05, momentum=0.9)", scheduler=None))
    plain.begin_epoch()
    for _ in range(STEPS):
        plain.step(*plain.batches.take())

    assert plain.step.losses.tolist() != pytest.approx(trained_by_hand()[1], rel=1e-2)
