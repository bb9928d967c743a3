"""The library in use: trains a network, finds its run again, and asks it about digits. README shows it."""

import torch

import mnist_tui
from mnist_tui.runs.events import EpochEnded

for event in mnist_tui.train("iter5", epochs=1, changes={"optimizer.lr": 0.005}, dataset="digits", runs_dir="runs"):
    if isinstance(event, EpochEnded):
        print(f"epoch {event.epoch}: {event.test_accuracy:.2%} of the test images")

run = mnist_tui.list_runs("runs")[0]  # the newest: name, seed, best_accuracy, rows (its epochs), spec, ...
network = mnist_tui.load(run)  # a torch.nn.Module in eval mode; or mnist_tui.load("a17f"), or a folder
pixels = torch.zeros(1, 1, 28, 28)  # 0 (black) to 255 (white)
classes = network((pixels / 255 - 0.1307) / 0.3081).argmax(dim=1)
print(f"{run.name}, seed {run.seed}: takes nothing for a {classes.item()}")
