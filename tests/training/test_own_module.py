"""A user's own nn.Module: layers, parameters, and the preset that says the same, in course style and in others."""

import sys
from pathlib import Path
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from mnist_tui.errors import ModuleError
from mnist_tui.spec import presets
from mnist_tui.spec.run_spec import make_spec
from mnist_tui.training import build
from mnist_tui.training.own_module.__main__ import describe
from mnist_tui.training.own_module.layer_table import run_once
from mnist_tui.training.own_module.load import load_module

SHAPE = (1, 28, 28)
HERE = Path(__file__)


class Functional(nn.Module):
    """Everything but the weights as functions, as PyTorch's old MNIST example has it."""

    def __init__(self) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(1, 10, kernel_size=5)
        self.conv2 = nn.Conv2d(10, 20, kernel_size=5)
        self.conv2_drop = nn.Dropout2d()
        self.fc1 = nn.Linear(320, 50)
        self.fc2 = nn.Linear(50, 10)

    def forward(self, x: Tensor) -> Tensor:
        x = F.relu(F.max_pool2d(self.conv1(x), 2))
        x = F.relu(F.max_pool2d(self.conv2_drop(self.conv2(x)), 2))
        x = x.view(-1, 320)
        x = F.relu(self.fc1(x))
        x = F.dropout(x, training=self.training)
        return F.log_softmax(self.fc2(x), dim=1)


class Course(nn.Module):
    """Blocks of `Sequential`, batch norm, dropout, global average pooling, `view` and `log_softmax`."""

    def __init__(self, dropout: float = 0.05) -> None:
        super().__init__()
        self.convblock1 = nn.Sequential(
            nn.Conv2d(1, 8, kernel_size=(3, 3), padding=0, bias=False),
            nn.ReLU(inplace=True),
            nn.BatchNorm2d(8),
            nn.Dropout(dropout),
        )
        self.pool1 = nn.MaxPool2d(2, 2)
        self.convblock2 = nn.Sequential(nn.Conv2d(8, 16, (3, 3), padding=1, bias=False), nn.ReLU(), nn.BatchNorm2d(16))
        self.gap = nn.Sequential(nn.AvgPool2d(kernel_size=13))
        self.convblock3 = nn.Sequential(nn.Conv2d(16, 10, kernel_size=(1, 1), bias=False))

    def forward(self, x: Tensor) -> Tensor:
        x = self.pool1(self.convblock1(x))
        x = self.convblock3(self.gap(self.convblock2(x)))
        x = x.view(-1, 10)
        return F.log_softmax(x, dim=-1)


class Reused(nn.Module):
    """One ReLU and one pool used several times, `size` and `mean` for the shapes, and other activations."""

    def __init__(self) -> None:
        super().__init__()
        self.a = nn.Conv2d(1, 6, 5, padding="same")
        self.b = nn.Conv2d(6, 8, 3, stride=2, padding=1, groups=2)
        self.norm = nn.GroupNorm(2, 8)
        self.c = nn.Conv2d(8, 12, (3, 1), padding=(1, 0))
        self.relu, self.pool = nn.ReLU(), nn.MaxPool2d(3, stride=2, padding=1)
        self.head = nn.Linear(12, 10)

    def forward(self, x: Tensor) -> Tensor:
        x = self.pool(self.relu(self.a(x)))
        x = self.relu(self.norm(self.b(x)))
        x = F.leaky_relu(self.pool(self.c(x)), 0.2)
        x = x.mean(dim=[2, 3])
        return self.head(x.view(x.size(0), -1)).sigmoid()  # type: ignore[no-any-return]


class Squeezed(nn.Module):
    """`adaptive_avg_pool2d`, `flatten` and `squeeze`; the order of the definitions is not that of the calls."""

    def __init__(self) -> None:
        super().__init__()
        self.last = nn.Conv2d(4, 10, 1)
        self.first = nn.Conv2d(1, 4, 3)

    def forward(self, x: Tensor) -> Tensor:
        x = torch.relu(self.first(x))
        x = F.adaptive_avg_pool2d(self.last(x), (1, 1))
        return torch.flatten(x, start_dim=1).contiguous().squeeze()


class Branching(nn.Module):
    """A forward that cannot be traced, of modules alone: a chain all the same, as a pass shows."""

    def __init__(self) -> None:
        super().__init__()
        self.features = nn.Sequential(nn.Conv2d(1, 4, 3), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten())
        self.fc = nn.Linear(676, 10)

    def forward(self, x: Tensor) -> Tensor:
        if x.sum() > 1e9:
            raise ValueError("an image of nothing but light")
        return self.fc(self.features(x))  # type: ignore[no-any-return]


CHAINS = [Functional, Course, Reused, Squeezed, Branching]


def described(network: nn.Module, shape: tuple[int, ...] = SHAPE) -> dict[str, Any]:
    """What is found out about a network of this file."""
    return describe(network.eval(), shape, HERE)


@pytest.mark.parametrize("network_class", CHAINS)
def test_a_chain_is_a_preset_that_computes_the_same(network_class: type[nn.Module], tmp_path: Path) -> None:
    """Saved and loaded as a file, it has the same parameters and, with the same weights, the same outputs."""
    torch.manual_seed(1)
    network = network_class().eval()
    found = described(network)
    assert found["no_chain"] == ""
    spec = make_spec({"name": "own", "layers": "".join(f"{layer}\n" for layer in found["layers"])})
    (tmp_path / "own.toml").write_text(presets.as_toml(spec))
    loaded = presets.load_file(tmp_path / "own.toml")

    assert loaded.parameters == found["parameters"] == sum(each.numel() for each in network.parameters())
    rebuilt = build.network(loaded).eval()
    rebuilt.load_state_dict(dict(zip(rebuilt.state_dict(), _state_in_order_of_calls(network), strict=True)))
    images = torch.randn(4, *SHAPE)
    with torch.no_grad():
        torch.testing.assert_close(rebuilt(images), network(images))


def _state_in_order_of_calls(network: nn.Module) -> list[Tensor]:
    modules = dict.fromkeys(module for module, _, _ in run_once(network, SHAPE).calls)
    return [tensor for module in modules for tensor in module.state_dict().values()]


def test_the_layers_as_written() -> None:
    """Short, as a person writes them: no input sizes, no defaults, pairs of equal numbers as one number."""
    assert described(Reused())["layers"] == [
        'Conv2d(6, 5, padding="same")',
        "ReLU()",
        "MaxPool2d(3, stride=2, padding=1)",
        "Conv2d(8, 3, stride=2, padding=1, groups=2)",
        "GroupNorm(2)",
        "ReLU()",
        "Conv2d(12, (3, 1), padding=(1, 0))",
        "MaxPool2d(3, stride=2, padding=1)",
        "LeakyReLU(0.2)",
        "AdaptiveAvgPool2d(1)",
        "Flatten()",
        "Linear(10)",
        "Sigmoid()",
    ]
    assert described(Course())["layers"][:5] == [
        "Conv2d(8, 3, bias=False)", "ReLU()", "BatchNorm2d()", "Dropout(0.05)", "MaxPool2d(2)",
    ]  # fmt: skip


def test_the_table_has_the_modules_that_were_called() -> None:
    """With names, shapes and parameters; those that were never called are told apart."""

    class Unused(Course):
        def __init__(self) -> None:
            super().__init__()
            self.fc = nn.Linear(10, 129)

    found = described(Unused())
    rows = [(row["name"], row["type"], row["output_shape"], row["parameters"]) for row in found["rows"]]

    assert rows[:4] == [
        ("convblock1.0", "Conv2d", (8, 26, 26), 72),
        ("convblock1.1", "ReLU", (8, 26, 26), 0),
        ("convblock1.2", "BatchNorm2d", (8, 26, 26), 16),
        ("convblock1.3", "Dropout", (8, 26, 26), 0),
    ]
    assert found["uncalled"] == {"fc": 1_419}
    assert found["parameters"] == 1_419 + sum(row["parameters"] for row in found["rows"])
    assert found["output_shape"] == [10]


def test_frozen_parameters_are_counted_apart() -> None:
    """As torchsummary does."""
    network = Course()
    network.convblock3.requires_grad_(False)
    found = described(network)

    assert found["parameters"] - found["trainable"] == 160


def test_dropout_that_never_stops_is_told() -> None:
    """`F.dropout(x)` drops at evaluation too, which no layer does."""

    class Always(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.fc = nn.Linear(784, 10)

        def forward(self, x: Tensor) -> Tensor:
            return self.fc(F.dropout(torch.flatten(x, 1), 0.2))  # type: ignore[no-any-return]

    found = described(Always())
    assert found["layers"] == ["Flatten()", "Dropout(0.2)", "Linear(10)"]
    assert found["remarks"] == [
        "dropout() without training=self.training drops at evaluation as well; the preset's layer does not"
    ]


# --- what is no chain ---


class _Base(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.a = nn.Conv2d(1, 4, 3, padding=1)
        self.b = nn.Conv2d(4, 4, 3, padding=1)
        self.scale = nn.Parameter(torch.ones(1))
        self.lstm = nn.LSTM(28, 10, batch_first=True)
        self.fc = nn.Linear(4 * 784, 10)

    def head(self, x: Tensor) -> Tensor:
        return self.fc(torch.flatten(x, 1))  # type: ignore[no-any-return]


class Added(_Base):
    def forward(self, x: Tensor) -> Tensor:
        x = self.a(x)
        return self.head(x + self.b(x))


class Twice(_Base):
    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.b(self.b(self.a(x))))


class Constant(_Base):
    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.a(x) * 2)


class Scaled(_Base):
    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.a(x) * self.scale)


class Recurrent(_Base):
    def forward(self, x: Tensor) -> Tensor:
        return self.lstm(x.squeeze(1))[0][:, -1]  # type: ignore[no-any-return]


class Mixed(_Base):
    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.a(x).view(-1, 4, 28, 14).reshape(-1, 4, 28, 28))


class Split(_Base):
    def forward(self, x: Tensor) -> Tensor:
        first, _ = self.a(x).chunk(2, dim=1)
        return first  # type: ignore[no-any-return]


class TwoOutputs(_Base):
    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        x = self.a(x)
        return self.head(x), x


class Hidden(_Base):
    def forward(self, x: Tensor) -> Tensor:
        if x.sum() > 1e9:
            return x
        return self.head(torch.relu(self.a(x)))


class Swish(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return x * torch.sigmoid(x)


class Custom(_Base):
    def __init__(self) -> None:
        super().__init__()
        self.act = Swish()

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.act(self.a(x)))


@pytest.mark.parametrize(
    ("network_class", "why"),
    [
        (Added, "a second branch joins in add; a preset writes x + f(x) as Residual(...)"),
        (
            Twice,
            "b is called twice with the same parameters; a preset writes layers that are applied again as Repeat(...)",
        ),
        (Constant, "mul() is no layer that presets know"),
        (Scaled, "the step does not take the output of the one before in scale"),
        (Recurrent, "squeeze() makes [28, 28] of [1, 28, 28]"),
        (Mixed, "view() makes [4, 28, 14] of [4, 28, 28], which mixes images"),
        (Split, "getitem"),
        (TwoOutputs, "forward returns something else than the last step's tensor"),
        (Hidden, "and between its modules, before fc, is something else"),
        (Custom, "a second branch joins in mul"),
    ],
)
def test_what_is_no_chain_is_named(network_class: type[nn.Module], why: str) -> None:
    """With the line of the file where that is known; the table is made all the same."""
    found = described(network_class())

    assert found["layers"] is None
    assert why in found["no_chain"]
    assert found["rows"]
    if network_class in (Added, Constant, Mixed):
        line = int(found["no_chain"].partition("line ")[2].partition(":")[0])
        assert {"+", "*", "view"} & set(
            HERE.read_text().splitlines()[line - 1].replace("(", " ").replace(".", " ").split()
        )


# --- loading ---


def loaded(tmp_path: Path, text: str, name: str = "Net") -> nn.Module:
    """The module of a file with this text."""
    file = tmp_path / "model.py"
    file.write_text(text)
    return load_module(file, name)


HEAD = "from torch import nn\nclass Net(nn.Module):\n"


@pytest.fixture(autouse=True)
def _same_path(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "path", list(sys.path))


def test_a_class_an_instance_and_a_function(tmp_path: Path) -> None:
    """Whatever makes a module without arguments; `if __name__ == "__main__":` is not run."""
    text = "from torch import nn\nnet = nn.Linear(3, 4)\ndef make(n=5): return nn.Linear(n, 4)\nNet = nn.Identity\n"
    text += 'if __name__ == "__main__":\n    raise SystemExit("trained")\n'

    assert loaded(tmp_path, text, "net").in_features == 3
    assert loaded(tmp_path, text, "make").in_features == 5
    assert isinstance(loaded(tmp_path, text, "Net"), nn.Identity)


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("x = (\n", "model.py, line 1: '(' was never closed"),
        ("import nonexistent_module\n", "model.py, line 1: ModuleNotFoundError: No module named 'nonexistent_module'"),
        ("\n\n1 / 0\n", "model.py, line 3: ZeroDivisionError: division by zero"),
        ("import sys\nsys.exit()\n", "model.py, line 2: the file ends the process, by sys.exit() or the like"),
        ("from torch import nn\nclass Nett(nn.Module): pass\n", "there is no 'Net' in it; did you mean 'Nett'?"),
        ("x = 1\n", "there is no 'Net' in it; it has no class of torch.nn.Module"),
        ("Net = 3\n", "Net is int, not a class of torch.nn.Module"),
        ("Net = dict\n", "Net gives dict, which is no torch.nn.Module"),
        (f"{HEAD}  def __init__(self, a, b=1, *, c): pass\n", "Net needs arguments that have no default: a, c"),
        (f"{HEAD}  def __init__(self):\n    self.a = nn.Linear(3, 4)\n", "line 4: AttributeError: cannot assign"),
        (f"{HEAD}  def __init__(self):\n    raise ValueError('\\x1b[m' + 'a\\nb')\n", "line 4: ValueError: \ufffd[ma"),
    ],
)  # fmt: skip
def test_what_fails_in_a_file_is_one_line(tmp_path: Path, text: str, why: str) -> None:
    """With the line of the user's file, and nothing that drives a terminal."""
    with pytest.raises(ModuleError) as error:
        loaded(tmp_path, text)

    assert why in str(error.value)
    assert "\n" not in str(error.value)
    assert "\x1b" not in str(error.value)


def test_a_forward_pass_that_fails(tmp_path: Path) -> None:
    """A shape that does not fit: the line of forward."""
    text = f"{HEAD}  def __init__(self):\n    super().__init__()\n    self.fc = nn.Linear(9, 10)\n"
    network = loaded(tmp_path, f"{text}  def forward(self, x):\n    return self.fc(x.flatten(1))\n")

    with pytest.raises(ModuleError, match=r"model.py, line 7: RuntimeError: mat1 and mat2 shapes cannot be multiplied"):
        describe(network, SHAPE, tmp_path / "model.py")


def test_a_file_beside_it_can_be_imported(tmp_path: Path) -> None:
    """As when Python runs the file; what fails there is named with its own file."""
    (tmp_path / "own_blocks.py").write_text("def block():\n    raise ValueError('no')\n")

    with pytest.raises(ModuleError, match=r"own_blocks.py, line 2: ValueError: no"):
        loaded(tmp_path, "from own_blocks import block\nNet = block()\n")
