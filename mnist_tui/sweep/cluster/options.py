"""What is typed for a Ray cluster: which one `--on` names, and what `--per-run` asks of it for each run."""

import math
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.util import find_spec

from mnist_tui.errors import MissingPackageError, UsageError
from mnist_tui.text import clean_line, did_you_mean

CLIENT_PORT = 10_001
"""Where a head node listens for clients unless `ray start --ray-client-server-port` says otherwise."""
MAX_AMOUNT = 1024
LOCAL = "local"
"""The address that stands for a cluster that is started on this machine."""


@dataclass(frozen=True)
class PerRun:
    """What a run takes of a node."""

    cpu: float = 1.0
    gpu: float = 0.0

    def __str__(self) -> str:
        return f"cpu={self.cpu:g}" + (f",gpu={self.gpu:g}" if self.gpu else "")

    @property
    def threads(self) -> int:
        """CPU threads of a run."""
        return max(1, int(self.cpu))

    def fits(self, resources: Mapping[str, float]) -> int:
        """How many runs a node with these resources trains at a time."""
        shares = [(resources.get("CPU", 0.0), self.cpu), (resources.get("GPU", 0.0), self.gpu)]
        return min(int(total / need + 1e-6) for total, need in shares if need)


def parse_per_run(text: str | None) -> PerRun:
    """The amounts of a text such as `cpu=1,gpu=0.1`, one CPU without one; raises `UsageError`."""
    amounts: dict[str, float] = {}
    for part in ("cpu=1" if text is None else text).split(","):
        name, equals, number = (word.strip() for word in part.partition("="))
        where = f"--per-run {clean_line(text or '', 60)}"
        if name not in ("cpu", "gpu") or not equals:
            near = did_you_mean(name, ("cpu", "gpu"))
            raise UsageError(f"{where}: write amounts such as cpu=1,gpu=0.1{near}")
        if name in amounts:
            raise UsageError(f"{where}: {name} is there twice")
        amounts[name] = _amount(number, f"{where}: {name}")
    per_run = PerRun(**amounts)
    if not per_run.cpu and not per_run.gpu:
        raise UsageError(f"--per-run {text}: a run needs some of a CPU or of a GPU")
    return per_run


def _amount(text: str, where: str) -> float:
    try:
        amount = float(text)
    except ValueError:
        amount = math.nan
    if not (amount == 0 or 0.001 <= amount <= MAX_AMOUNT) or (amount > 1 and not amount.is_integer()):
        raise UsageError(f"{where} must be a share between 0.001 and 1, or a whole number up to {MAX_AMOUNT:,}")
    return amount


def parse_address(on: str) -> str:
    """The address that `--on` names, or `local`; raises `UsageError`.

    `ray` is the cluster of the environment variable RAY_ADDRESS, where it is set, as for all programs that use Ray.
    """
    named, where = (on, f"--on {clean_line(on, 100)}")
    if on == "ray":
        named = os.environ.get("RAY_ADDRESS") or LOCAL
        where = f"RAY_ADDRESS={clean_line(named, 100)}"
        if named in (LOCAL, "auto"):
            return named
    match = re.fullmatch(r"(ray://)?([\w.-]+|\[[0-9A-Fa-f:.]+\])(?::(\d{1,5}))?", named)
    if match is None or not (match[1] or match[3]) or int(match[3] or 1) not in range(1, 65_536):
        raise UsageError(f"{where}: write ray, ray://HOST or HOST:PORT, such as ray://10.0.0.5 or 10.0.0.5:6379")
    return f"{match[1] or ''}{match[2]}:{match[3] or CLIENT_PORT}"


def check_installed() -> None:
    """Raises `MissingPackageError` where Ray is not installed."""
    if find_spec("ray") is None:
        raise MissingPackageError("--on: ray is not installed; pip install 'ray[client]>=2.55'")
