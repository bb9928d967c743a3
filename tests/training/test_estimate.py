"""What a run will take, estimated from a few steps."""

from itertools import count

from mnist_tui.spec import presets
from mnist_tui.spec.run_options import Options
from mnist_tui.training.estimate import expected_cost


def test_time_is_taken_from_the_clock() -> None:
    """With a clock that ticks once a look, a step takes one tick, and so does evaluating all sampled images."""
    spec = presets.load("iter1").with_settings({"batch_size": "2"})

    cost = expected_cost(spec, Options(threads=1), count(0.0).__next__)

    steps, sampled = 30_000, 40
    assert cost["steps_per_epoch"] == steps
    assert cost["seconds_per_epoch"] == steps + 10_000 / sampled
