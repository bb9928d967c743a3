"""The loop that the presets' authors used, without any optimization: what speed and accuracy are compared with.

A `DataLoader` with two workers, PIL transforms image by image, eager steps, `.item()` on every step, torch's
default threads. Network and recipe are iteration 5 of rraghu214/mnist_digit_recognition, evaluated (unlike there)
on the 10,000 test images. Nothing of mnist_tui is imported, so that this file can be read and run alone:

    python benchmarks/reference.py --data-dir DATA --epochs 20 --seeds 3      # one JSON object an epoch
"""

import argparse
import json
import time
from collections.abc import Iterator

import torch
from torch import nn
from torch.utils.data import DataLoader
from torchvision import datasets, transforms

MEAN, STD = (0.1307,), (0.3081,)


def iter5() -> nn.Sequential:
    """The network of iteration 5: 18,422 parameters; images (N, 1, 28, 28) to log-probabilities (N, 10)."""
    return nn.Sequential(
        nn.Conv2d(1, 8, 3, padding=1),
        nn.BatchNorm2d(8),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Conv2d(8, 16, 3, padding=1),
        nn.BatchNorm2d(16),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Conv2d(16, 8, 1),
        nn.ReLU(),
        nn.Conv2d(8, 32, 3, padding=1),
        nn.ReLU(),
        nn.Conv2d(32, 28, 1),
        nn.ReLU(),
        nn.Flatten(),
        nn.Linear(28 * 7 * 7, 10),
        nn.LogSoftmax(1),
    )


Batches = DataLoader[tuple[torch.Tensor, torch.Tensor]]
"""Of images and their labels."""


def loaders(data_dir: str, batch_size: int, workers: int) -> tuple[Batches, Batches]:
    """Training images, augmented and shuffled, and test images, plain; both in batches of normalised float32."""
    normalise = [transforms.ToTensor(), transforms.Normalize(MEAN, STD)]
    augment = [
        transforms.RandomApply([transforms.CenterCrop(22)], p=0.1),
        transforms.Resize((28, 28)),
        transforms.RandomRotation((-15.0, 15.0), fill=0),
    ]
    train = datasets.MNIST(data_dir, train=True, transform=transforms.Compose(augment + normalise))
    test = datasets.MNIST(data_dir, train=False, transform=transforms.Compose(normalise))
    return (
        DataLoader(train, batch_size, shuffle=True, num_workers=workers),
        DataLoader(test, batch_size, shuffle=False, num_workers=workers),
    )


def train_epoch(model: nn.Module, loader: Batches, optimizer: torch.optim.Optimizer) -> dict[str, float]:
    """One pass over the training images: mean loss, accuracy in train mode, seconds."""
    started = time.perf_counter()
    model.train()
    loss_sum = correct = count = 0.0
    for images, labels in loader:
        optimizer.zero_grad()
        logits = model(images)
        loss = nn.functional.cross_entropy(logits, labels)
        loss.backward()
        optimizer.step()
        loss_sum += loss.item() * len(labels)
        correct += (logits.argmax(1) == labels).sum().item()
        count += len(labels)
    seconds = time.perf_counter() - started
    return {"train_loss": loss_sum / count, "train_accuracy": correct / count, "seconds": seconds}


@torch.no_grad()
def evaluate(model: nn.Module, loader: Batches) -> dict[str, float]:
    """Mean loss and accuracy on the test images, and the seconds it took."""
    started = time.perf_counter()
    model.eval()
    loss_sum = correct = count = 0.0
    for images, labels in loader:
        logits = model(images)
        loss_sum += nn.functional.cross_entropy(logits, labels, reduction="sum").item()
        correct += (logits.argmax(1) == labels).sum().item()
        count += len(labels)
    seconds = time.perf_counter() - started
    return {"test_loss": loss_sum / count, "test_accuracy": correct / count, "test_seconds": seconds}


def train(seed: int, data_dir: str, epochs: int, batch_size: int = 64, workers: int = 2) -> Iterator[dict[str, float]]:
    """One row per epoch: Adam(lr=0.002), StepLR(15, 0.1) stepped once an epoch, cross-entropy."""
    torch.manual_seed(seed)
    train_loader, test_loader = loaders(data_dir, batch_size, workers)
    model = iter5()
    optimizer = torch.optim.Adam(model.parameters(), lr=0.002)
    scheduler = torch.optim.lr_scheduler.StepLR(optimizer, step_size=15, gamma=0.1)
    for epoch in range(1, epochs + 1):
        trained = train_epoch(model, train_loader, optimizer)
        yield {"seed": seed, "epoch": epoch} | trained | evaluate(model, test_loader)
        scheduler.step()


def main() -> None:
    """Prints one JSON object per epoch and seed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data-dir", required=True)
    parser.add_argument("--epochs", type=int, default=20)
    parser.add_argument("--seeds", type=int, default=1)
    parser.add_argument("--threads", type=int, help="torch threads; default: torch's own")
    options = parser.parse_args()
    if options.threads:
        torch.set_num_threads(options.threads)
    for seed in range(options.seeds):
        for row in train(seed, options.data_dir, options.epochs):
            print(json.dumps(row), flush=True)


if __name__ == "__main__":
    main()
