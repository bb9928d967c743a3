"""Curves, charts, the canvas and the zoom: what a run's events become on the screen. Nothing is trained."""

import math
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.style import Style
from textual.app import App, ComposeResult
from textual.pilot import Pilot
from textual.theme import Theme
from textual.widgets import Static

from mnist_tui.runs.events import (
    EpochEnded,
    Event,
    LearningRateChanged,
    Paused,
    Progress,
    RunEnded,
    RunStarted,
    Unpaused,
)
from mnist_tui.spec.recipe import Target
from mnist_tui.tui.charts.canvas import BRAILLE, Canvas, Frame
from mnist_tui.tui.charts.chart import SHARE, Chart
from mnist_tui.tui.charts.curves import METRICS, Curve, Metric, curves_of, limits, quantile_band, smooth
from mnist_tui.tui.charts.plot import AXIS, COLOURS, POINTS, Drawing, Picture, Plot, View, epoch_axis, picture_of
from mnist_tui.tui.charts.run_curves import MAX_POINTS, RunCurves, SeedGroup
from mnist_tui.tui.charts.zoom import Readout, Zoomed, ZoomScreen
from mnist_tui.tui.themes import DARK, LIGHT, rgb

pytestmark = pytest.mark.painted

NAN = math.nan
STARTED = RunStarted(
    "r1", "runs/r1", "iter5", 0, 18_422, 20, 100, 60_000, 0, 10_000, "mnist", "cpu", 1, epochs_done=0, steps_done=0
)


def row(epoch: int, test: float = 0.98, **changes: Any) -> EpochEnded:
    """An epoch that ended."""
    return replace(EpochEnded(epoch, 0.1 / epoch, 0.97, None, None, 0.05, test, 0.002, 6.5, 9_000.0), **changes)


def step(epoch: int, step: int, loss: float = 0.5) -> Progress:
    """A look at the loss inside an epoch of 100 steps."""
    return Progress(epoch, step, 100, loss, 0.002, 9_000.0)


def trained(epochs: int = 3, looks: int = 10, **changes: Any) -> RunCurves:
    """A run so far."""
    track = RunCurves()
    track.add(replace(STARTED, **changes))
    for epoch in range(1, epochs + 1):
        for look in range(1, looks + 1):
            track.add(step(epoch, look * 100 // looks, 1 / (epoch + look / looks)))
        track.add(row(epoch, 0.98 + 0.001 * min(epoch, 2)))
    return track


def picture(metric: Metric, track: RunCurves, smoothing: float = 0.1, target: Target | None = None) -> Picture:
    """What a chart is given of a run."""
    return picture_of(metric, SeedGroup((track,)), None, smoothing, target)


# --- tracks ---


def test_a_track_tells_state_best_and_fraction() -> None:
    """Events move a run through its states; the best epoch is the first of equals."""
    track, states = trained(4), []
    for event in (Paused(5, 3), Unpaused(5, 3), RunEnded("diverged", "", 4, None, None, "test", None, 1.0)):
        track.add(event)
        states.append(track.state)

    assert states == ["paused", "training", "diverged"]
    assert track.best is not None
    assert (track.best.epoch, track.fraction_done) == (2, 0.2)


def test_the_time_of_arrival_leaves_pauses_out() -> None:
    """An epoch in 10 s leaves 190 s for 19; an hour's pause changes nothing; the first seconds tell nothing."""
    now = [0.0]
    track = RunCurves(clock=lambda: now[0])
    estimates: list[float | None] = []
    track.add(STARTED)
    for seconds, event in ((1.0, step(1, 10)), (2.0, step(1, 20)), (10.0, step(1, 100)), (10.5, Paused(1, 100))):
        now[0] = seconds
        track.add(event)
        estimates.append(track.eta_seconds())
    now[0] = 3_600.0
    track.add(Unpaused(1, 100))
    for seconds, event in ((3_601.0, step(2, 10)), (3_611.0, step(2, 100))):
        now[0] = seconds
        track.add(event)

    assert [estimates[0], estimates[1], estimates[3]] == [None, None, None]
    assert estimates[2] == pytest.approx(190.0)
    assert track.eta_seconds() == pytest.approx(200.0)


def test_points_stay_bounded_and_the_newest_is_kept() -> None:
    """Ten times as many looks as are kept: the memory is bounded, and the curve ends where the run is."""
    track = RunCurves()
    track.add(replace(STARTED, steps_per_epoch=100))
    for index in range(10 * MAX_POINTS):
        track.add(step(1 + index // 100, 1 + index % 100))

    assert MAX_POINTS // 2 <= len(track.points) <= MAX_POINTS
    assert track.points[-1].epoch == pytest.approx(10 * MAX_POINTS / 100, abs=0.1)


def test_what_is_trained_again_is_drawn_once() -> None:
    """A run resumed from the checkpoint of epoch 2 forgets the later events; marks before it stay."""
    track = trained(3)
    for event in (LearningRateChanged(1, 50, 0.1), LearningRateChanged(4, 20, 0.2), step(4, 30)):
        track.add(event)
    track.add(replace(STARTED, epochs_done=2))
    xs = [point.epoch for point in track.points]

    assert max(xs) == 2.0
    assert [one.epoch for one in track.rows] == [1, 2]
    assert track.marks == [(0.5, 0.1)]


def test_a_watched_run_that_goes_back_has_curves_that_do_not() -> None:
    """Another process resumed it: its steps and epochs come again, and x still only grows."""
    track = trained(3)
    for event in (step(2, 50), row(2, 0.5), step(2, 60)):
        track.add(event)
    xs = [point.epoch for point in track.points]

    assert xs == sorted(set(xs))
    assert xs[-1] == pytest.approx(1.6)
    assert [(one.epoch, one.test_accuracy) for one in track.rows][1] == (2, 0.5)


# --- curves ---


@given(st.lists(st.floats(0.001, 10), min_size=1, max_size=50), st.sampled_from([0.0, 0.1, 0.5]))
def test_smoothing_stays_within_the_data(ys: list[float], epochs: float) -> None:
    """An average leaves no bounds, begins where the data begin, and over no epochs is the data."""
    smoothed = smooth([index / 20 for index in range(len(ys))], ys, epochs)

    assert smoothed[0] == pytest.approx(ys[0])
    assert all(min(ys) - 1e-9 <= y <= max(ys) + 1e-9 for y in smoothed)
    assert epochs or smoothed == pytest.approx(ys)


def test_smoothing_is_in_epochs() -> None:
    """Ten times as many looks at the same curve are smoothed alike: a run does not look calmer for a faster machine."""
    few, many = ([index / count for index in range(2 * count)] for count in (20, 200))
    values = [smooth(xs, [float(x < 1) for x in xs], 0.5)[-1] for xs in (few, many)]

    assert values[0] == pytest.approx(values[1], rel=0.1)
    assert 0.1 < values[0] < 0.2  # e**-2: an epoch after the jump.


def test_smoothing_skips_what_is_not_finite() -> None:
    """NaN stays NaN, as in TensorBoard, and does not pull its neighbours towards 0."""
    smoothed = smooth([0.0, 0.1, 0.2, 0.3, 0.4], [NAN, 2.0, NAN, math.inf, 2.0], 0.5)

    assert [smoothed[1], smoothed[4]] == [pytest.approx(2.0), pytest.approx(2.0)]
    assert math.isnan(smoothed[0])
    assert smoothed[3] == math.inf


def test_the_band_holds_most_of_the_steps() -> None:
    """Between the 10 % and the 90 % quantile of what lies in a column; none where there are a few values only."""
    curve = Curve("steps", "raw", [index / 100 for index in range(100)], [float(index % 10) for index in range(100)])
    first, second = quantile_band(curve, [0.0, 0.5, 0.53])

    assert first == (1.0, 8.0)
    assert second is None


def test_accuracy_is_in_percent_and_shows_where_something_happens() -> None:
    """A first epoch at 60 % does not press the others into a row; the top is never above 100 %."""
    track = trained(0)
    for epoch in range(1, 21):
        track.add(row(epoch, 0.6 if epoch == 1 else 0.99 + 0.0005 * epoch, train_accuracy=0.985))
    lines = curves_of("accuracy", SeedGroup((track,)), None, 0.0)
    low, high = limits("accuracy", lines, log_y=False)

    assert max(lines[-1].ys) == pytest.approx(100.0)
    assert 97 < low < 98.5
    assert high == 100.0


@pytest.mark.parametrize(
    ("low", "high", "labels"),
    [
        (0, 3, ["0", "1", "2", "3"]),
        (0, 20, ["0", "5", "10", "15", "20"]),
        (1.2, 1.6, ["1.2", "1.3", "1.4", "1.5", "1.6"]),
    ],
)
def test_epochs_are_whole(low: float, high: float, labels: list[str]) -> None:
    """Except where the zoom shows less than one."""
    axis = epoch_axis(Frame(48, 10, low, high, 0, 1), "").plain.split()

    assert axis[0] == "epoch"
    assert axis[1:] == labels


def test_the_steps_are_seen_behind_the_smoothed_line() -> None:
    """With smoothing both are drawn, the steps below; without, there is one line."""
    group = SeedGroup((trained(),))
    smoothed = [line.role for line in curves_of("loss", group, None, 0.1)]
    plain = [line.role for line in curves_of("loss", group, None, 0.0)]

    assert smoothed == ["raw", "train", "test"]
    assert plain == ["train", "test"]


def test_earlier_seeds_are_lines_of_their_own() -> None:
    """The newest is drawn over them; of very many, the newest few."""
    group = SeedGroup(tuple(trained(2, run=f"r{seed}", seed=seed) for seed in range(30)))
    lines = curves_of("accuracy", group, None, 0.0)

    assert [line.label for line in lines if line.role == "seed"] == [f"seed {seed}" for seed in range(17, 29)]
    assert [line.role for line in lines[-2:]] == ["train", "test"]


@pytest.mark.parametrize("theme", [DARK, LIGHT])
def test_every_line_and_frame_is_seen(theme: Theme) -> None:
    """At a contrast of 3:1 or more (WCAG 2.2, 1.4.11), on both backgrounds that they lie on."""
    variables = theme.to_color_system().generate() | theme.variables
    names = [COLOURS[role] for role in COLOURS if role != "raw"] + ["frame"]
    faint = [
        (name, ground)
        for name in names
        for ground in ("background", "chart-judged")
        if contrast(rgb(variables, name), rgb(variables, ground)) < 3 and (name, ground) != ("frame", "chart-judged")
    ]

    assert faint == []


def contrast(one: tuple[int, int, int], other: tuple[int, int, int]) -> float:
    """The ratio of two colours' luminances, as WCAG 2.2 defines it."""
    low, high = sorted(map(luminance, (one, other)))
    return (high + 0.05) / (low + 0.05)


def luminance(colour: tuple[int, int, int]) -> float:
    """Relative luminance (WCAG 2.2)."""
    linear = [part / 255 / 12.92 if part <= 10 else ((part / 255 + 0.055) / 1.055) ** 2.4 for part in colour]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def test_lines_that_meet_in_one_chart_differ_without_colour() -> None:
    """Every role but the raw line, which is the train line unsmoothed, has a marker of its own."""
    roles = [role for role in POINTS if role != "raw"]

    assert len({POINTS[role][0] for role in roles}) == len(roles)
    assert len({POINTS[role][1] for role in POINTS}) == len(POINTS)


# --- the canvas ---


def dots(canvas: Canvas) -> str:
    """The cells as text."""
    return "\n".join(line.plain for line in canvas.lines())


def test_a_line_runs_from_corner_to_corner() -> None:
    """Four cells of a rising line, dot by dot."""
    canvas = Canvas(Frame(4, 2, 0.0, 1.0, 0.0, 1.0))
    canvas.draw([0.0, 1.0], [0.0, 1.0], Style())

    assert dots(canvas) == "  ⡠⠊\n⡠⠊  "


def test_lines_share_a_cell_in_the_colour_of_the_last() -> None:
    """The dots of both stay."""
    canvas = Canvas(Frame(1, 1, 0.0, 1.0, 0.0, 1.0))
    canvas.draw([0.0, 1.0], [0.0, 0.0], Style(color="blue"))
    canvas.draw([0.0, 1.0], [1.0, 1.0], Style(color="red"))
    (line,) = canvas.lines()

    assert line.plain == chr(BRAILLE | 0x01 | 0x08 | 0x40 | 0x80)
    assert [span.style for span in line.spans] == [Style(color="red")]


@given(st.tuples(*[st.integers(-60, 80)] * 4), st.integers(1, 12), st.integers(1, 8))
def test_only_what_is_seen_is_walked_and_all_of_it(ends: tuple[int, int, int, int], width: int, height: int) -> None:
    """A clipped line has the very dots of the whole one that lie in the canvas."""
    clipped, whole = (Canvas(Frame(width, height, 0.0, 1.0, 0.0, 1.0)) for _ in range(2))
    x, y, across, down = ends[0], ends[1], ends[2] - ends[0], ends[3] - ends[1]
    clipped._segment((x, y), (ends[2], ends[3]), Style(), None)
    steps = max(abs(across), abs(down), 1)
    for index in range(steps + 1):
        at = (x + across * index // steps, y + down * index // steps)
        if 0 <= at[0] < 2 * width and 0 <= at[1] < 4 * height:
            whole._dot(*at, Style(), None)

    assert dots(clipped) == dots(whole)


def test_a_line_of_a_thousand_screens_is_whole_and_cheap() -> None:
    """Zoomed in, two points far outside still draw every column between them, without a walk over a million dots."""
    canvas = Canvas(Frame(40, 4, 500.0, 500.01, 0.0, 1.0))
    started = time.thread_time()
    canvas.draw([0.0, 1000.0], [0.5, 0.5], Style())
    seconds = time.thread_time() - started

    assert sum(cell != " " for cell in dots(canvas)) == 40 + 3
    assert seconds < 0.05


def test_nothing_is_drawn_where_there_is_no_number() -> None:
    """NaN and infinities leave a gap, as points and as marks."""
    canvas = Canvas(Frame(4, 1, 0.0, 3.0, 0.0, 1.0))
    canvas.draw([0.0, 1.0, 2.0, 3.0], [NAN, math.inf, -math.inf, NAN], Style())
    canvas.mark(1.0, NAN, "*", Style())

    assert dots(canvas) == "    "


def test_without_braille_the_markers_draw() -> None:
    """Plain characters only."""
    canvas = Canvas(Frame(4, 2, 0.0, 1.0, 0.0, 1.0))
    canvas.draw([0.0, 1.0], [0.0, 1.0], Style(), "o")

    assert dots(canvas) == "  oo\noo  "


# --- plots ---


def drawn(picture: Picture, size: tuple[int, int] = (60, 16), ascii_only: bool = False, **view: Any) -> Drawing:
    """A picture as it is drawn in a terminal."""
    variables = DARK.to_color_system().generate() | DARK.variables
    return Drawing(picture, replace(View("accuracy", high_x=picture.x_max), **view), *size, ascii_only, variables)


def test_a_plot_has_axes_and_the_best_epoch() -> None:
    """Values at the left, epochs in the last row, one star."""
    lines = drawn(picture("accuracy", trained(3))).text().plain.splitlines()

    assert sum(line.count("*") for line in lines) == 1
    assert lines[-1].split() == ["epoch", "0", "2", "4", "6", "8"]
    assert all(len(line) <= 60 for line in lines)


def test_the_test_value_is_the_last_that_is_cut() -> None:
    """Of the legend; the value of the newest epoch, whatever else has no room."""
    legends = [drawn(picture("accuracy", trained(3)), (width, 16)).legend().plain for width in (16, 24, 40, 80)]

    assert all(legend.startswith(" ● test 98.20%") for legend in legends)
    assert "─ train 97.00%  * best 2" in legends[-1]


def test_the_target_is_a_line_with_its_value() -> None:
    """The epochs in which it must hold are shaded, once they are in sight."""
    target = Target(test_accuracy=0.985, last_epochs=3)
    track = trained(20)
    drawing = drawn(picture("accuracy", track, target=target))
    (line,) = [line for line in drawing.text().plain.splitlines() if "╌" in line]
    shaded = drawn(replace(drawing.picture, judged=None)).text() != drawing.text()

    assert line.split()[0] == "98.5"
    assert drawing.picture.judged == (17.5, 20.0)
    assert shaded
    assert drawn(drawing.picture, ascii_only=True).text().plain.isascii()


def test_early_points_that_are_clipped_are_marked() -> None:
    """Nobody takes the first epoch that is seen for the first of the run."""
    track = trained(0)
    for epoch in range(1, 11):
        track.add(row(epoch, 0.6 if epoch == 1 else 0.99, train_accuracy=0.99))

    assert drawn(picture("accuracy", track)).text().plain.count("▾") == 1
    assert drawn(picture("accuracy", track), ascii_only=True).text().plain.count("v") == 1


def test_the_axis_grows_with_the_run() -> None:
    """The first steps of a long run are no line at the left edge; at the end the axis is the whole run."""
    ends = []
    for epochs in (0, 1, 3, 20):
        track = trained(epochs)
        track.add(step(epochs + 1, 20))
        ends.append(picture("loss", track).x_max)

    assert ends == [2.0, 4.0, 8.0, 20.0]


@pytest.mark.parametrize("size", [(1, 1), (2, 1), (5, 3), (16, 5), (18, 6), (44, 12), (92, 20)])
@pytest.mark.parametrize("ascii_only", [False, True])
def test_every_size_is_drawn(size: tuple[int, int], ascii_only: bool) -> None:
    """From one cell up; where there is no room for axes nothing is drawn; nothing is wider than there is room."""
    drawing = drawn(picture("loss", trained(3)), size, ascii_only, metric="loss", log_y=True)
    lines = drawing.text().plain.splitlines()

    assert len(lines) in (0, size[1])
    assert max(map(len, [*lines, drawing.legend().plain])) <= size[0]


def test_marks_of_changed_rates_in_ascii() -> None:
    """Curves, axes, the best epoch and the line where the rate was changed: no character beyond ASCII."""
    track = trained(3)
    track.add(LearningRateChanged(3, 50, 0.01))
    text = drawn(picture("loss", track), ascii_only=True, metric="loss").text().plain

    assert text.isascii()
    assert text.count("|") > 8


@pytest.mark.parametrize("metric", METRICS)
def test_another_rate_is_another_picture(metric: Metric) -> None:
    """Its mark is drawn at once, also in a chart with nothing else new; without an event nothing is drawn."""
    track = trained(3)
    before, again = picture(metric, track), picture(metric, track)
    track.add(LearningRateChanged(4, 50, 0.01))
    after = picture(metric, track)

    assert before.key == again.key
    assert after.marks == [3.5]
    assert after.key != before.key


@pytest.mark.parametrize("metric", METRICS)
@pytest.mark.parametrize(
    "rows", [[], [row(1, 0.1, test_loss=NAN, train_loss=NAN)], [row(1), row(2, test_loss=math.inf)]]
)
async def test_numbers_that_are_none_are_no_crash(metric: Metric, rows: list[EpochEnded]) -> None:
    """Losses that are not finite leave gaps, in a plot and in the zoom."""
    track = trained(0)
    events: list[Event] = [step(1, 10, NAN), step(1, 20, 2.0), *rows]
    for event in events:
        track.add(event)
    for log_y in (False, True):
        drawn(picture(metric, track), metric=metric, log_y=log_y).text()
    async with zoomed(SeedGroup((track,)), metric=metric) as (_, screen):
        assert any(word in plotted(screen) for word in ("epoch", "yet", "not measured"))


# --- charts ---


class ChartApp(App[None]):
    """A chart alone."""

    def __init__(self, metric: Metric, ascii_only: bool) -> None:
        super().__init__()
        self.chart = Chart(metric, ascii_only, "chart", log_y=metric == "loss")
        self.zoomed: list[Metric] = []

    def compose(self) -> ComposeResult:
        yield self.chart

    def on_mount(self) -> None:
        for theme in (DARK, LIGHT):
            self.register_theme(theme)
        self.theme = DARK.name

    def on_chart_zoom(self, event: Chart.Zoom) -> None:
        self.zoomed.append(event.metric)


async def settled(pilot: Pilot[Any], until: Callable[[], bool]) -> None:
    """Waits until something is true, at most 5 s."""
    end = time.monotonic() + 5
    while not until() and time.monotonic() < end:
        await pilot.pause(0.01)
    await pilot.pause()


@asynccontextmanager
async def charted(
    source: Callable[[], Picture], size: tuple[int, int], metric: Metric = "loss", ascii_only: bool = False
) -> AsyncIterator[tuple[Pilot[Any], Chart]]:
    """A chart that has drawn a picture."""
    app = ChartApp(metric, ascii_only)
    async with app.run_test(size=size) as pilot:
        await pilot.pause()
        app.chart.show(source)
        await pilot.pause()
        yield pilot, app.chart


def shown(chart: Chart) -> str:
    """The legend and the plot, as characters."""
    return f"{chart.query_one(Static).visual}\n{chart.query_one(Plot).render().plain}"


async def test_a_chart_has_a_legend_above_its_plot() -> None:
    """Every line is named with its last value."""
    track = trained(3)
    async with charted(lambda: picture("accuracy", track), (60, 16), "accuracy") as (_, chart):
        legend, *plot = shown(chart).splitlines()

        assert legend.rstrip() == " ● test 98.20%  accuracy  ─ train 97.00%  * best 2"
        assert len(plot) == 15


async def test_another_theme_has_its_colours_at_once() -> None:
    """A run that has ended tells nothing more, and is drawn in the new colours nevertheless."""
    track = trained(3)
    async with charted(lambda: picture("loss", track), (60, 16)) as (pilot, chart):

        def colours() -> str:
            return str({str(span.style) for span in chart.query_one(Plot).render().spans})

        dark = colours()
        pilot.app.theme = LIGHT.name
        await settled(pilot, lambda: LIGHT.primary in colours())

        assert DARK.primary in dark
        assert DARK.primary not in colours()


async def test_many_events_are_drawn_seldom() -> None:
    """A hundred looks at an expensive plot cost no drawing before their time; what must be seen at once is."""
    track, calls = trained(3), [0]

    def source() -> Picture:
        calls[0] += 1
        return picture("loss", track)

    async with charted(source, (60, 16)) as (_, chart):
        before = calls[0]
        chart.query_one(Plot).cost = 60 * SHARE
        for look in range(1, 101):
            track.add(step(4, look))
            chart.show(source, at_once=False)
        while_waiting = calls[0] - before
        chart.show(source)

        assert while_waiting == 0
        assert calls[0] - before == 1
        assert chart.query_one(Plot).picture.lines[-1].xs[-1] == 3.0


async def test_a_click_asks_for_the_zoom() -> None:
    """The message names the metric."""
    track = trained(1)
    async with charted(lambda: picture("accuracy", track), (60, 16), "accuracy") as (pilot, _):
        await pilot.click(Chart)
        zoomed_metrics = pilot.app.zoomed  # type: ignore[attr-defined]

        assert zoomed_metrics == ["accuracy"]


# --- the zoom ---


@asynccontextmanager
async def zoomed(
    group: SeedGroup, pinned: RunCurves | None = None, metric: Metric = "loss", ascii_only: bool = False
) -> AsyncIterator[tuple[Pilot[Any], ZoomScreen]]:
    """The zoom on some runs."""
    app: App[None] = App()
    last = max((track.rows[-1].epoch for track in group.runs if track.rows), default=0)
    shows = Zoomed("a run", lambda metric, smoothing: picture_of(metric, group, pinned, smoothing, None), lambda: last)
    screen = ZoomScreen(shows, metric, 0.0, ascii_only)
    async with app.run_test(size=(100, 30)) as pilot:
        await app.push_screen(screen)
        await pilot.pause()
        yield pilot, screen


def plotted(screen: ZoomScreen) -> str:
    """The characters of the canvas."""
    return screen.query_one(Plot).render().plain


def read(screen: ZoomScreen) -> str:
    """The values under the cursor."""
    return str(screen.query_one(Readout).visual)


async def test_the_cursor_reads_the_nearest_point_of_every_curve() -> None:
    """The exact values of the full data, at the last epoch and one to the left."""
    async with zoomed(SeedGroup((trained(3),)), trained(2, name="era5"), "accuracy") as (pilot, screen):
        at_three = read(screen)
        await pilot.press("left")
        at_two = read(screen)

        assert "epoch 3 " in at_three
        assert "iter5" not in at_three
        assert "era5 s0 98.20%@2" in at_three
        assert "test 98.20%" in at_two
        assert "@" not in at_two


async def test_nearer_shows_what_was_thinned_away() -> None:
    """Of 3,600 losses that go up and down, a wide view keeps a part; zoomed in on 45, every peak of them is drawn."""
    track = RunCurves()
    track.add(replace(STARTED, epochs=4, steps_per_epoch=900))
    for index in range(3_600):
        loss = 0.1 + 0.01 * (index % 2)
        track.add(Progress(1 + index // 900, 1 + index % 900, 900, loss, 0.002, 9_000.0))
    async with zoomed(SeedGroup((track,))) as (pilot, screen):
        await pilot.press("home", "right", *["plus"] * 12)
        plot = screen.query_one(Plot)
        top = plotted(screen).splitlines()[0][AXIS:].replace("│", " ")

        assert plot.view.high_x - plot.view.low_x == pytest.approx(0.05)
        assert len(top.split()) >= 18


@pytest.mark.slow
async def test_the_zoom_takes_every_key_with_any_run() -> None:
    """No run at all, a pinned run without an epoch, a run that has not begun an epoch: no key is a crash."""
    keys = ",".join(binding.key for binding in ZoomScreen.BINDINGS).split(",")  # type: ignore[union-attr]
    widths = []
    for group, pinned in (
        (SeedGroup(), None),
        (SeedGroup(), RunCurves.from_saved("a", 0, "r", [])),
        (SeedGroup((trained(0),)), None),
    ):
        async with zoomed(group, pinned) as (pilot, screen):
            for key in keys:
                if key not in ("escape", "q", "z"):
                    await pilot.press(key)
                    plotted(screen)
            view = screen.query_one(Plot).view
            widths.append(view.high_x - view.low_x)

    assert all(width > 0 for width in widths)


async def test_a_flood_is_drawn_seldom_in_the_zoom_too() -> None:
    """RunnerEvent wait until it is time; keys do not, and draw what is new with them."""
    track = trained(3)
    async with zoomed(SeedGroup((track,))) as (pilot, screen):
        plot = screen.query_one(Plot)
        await pilot.pause()
        plot.cost, screen._shown_at = 60 * SHARE, time.monotonic()
        for look in range(1, 101):
            track.add(step(4, look))
            screen.show_new()
        while_waiting = plot.picture.lines[0].xs[-1]
        await pilot.press("Y")

        assert while_waiting == 3.0
        assert plot.picture.lines[0].xs[-1] == 4.0


async def test_events_come_while_the_zoom_opens_and_closes() -> None:
    """Before it is composed, and once its parts are removed, what is new is drawn nowhere and fails nothing."""
    track = trained(3)
    async with zoomed(SeedGroup((track,))) as (pilot, screen):
        other = ZoomScreen(screen._zoomed, "loss", 0.0, False)
        opened = pilot.app.push_screen(other)
        other._shown_at = 0.0
        other.show_new()
        await opened
        await pilot.pause()
        await other.remove_children()
        other._shown_at = 0.0
        other.show_new()

        assert other.is_attached


async def test_the_zoom_in_ascii_with_a_click() -> None:
    """Plain characters alone; a click puts the cursor where it is."""
    track = trained(3)
    track.add(LearningRateChanged(2, 50, 0.01))
    async with zoomed(SeedGroup((track,)), ascii_only=True) as (pilot, screen):
        await pilot.click(Plot, offset=(54, 5))
        text, cursor = plotted(screen), screen.query_one(Plot).view.cursor

        assert text.isascii()
        assert "*" in text
        assert cursor == pytest.approx(4.0, abs=0.2)


def test_every_binding_of_the_zoom_has_words() -> None:
    """Help and footer are made from them."""
    described = [binding.description for binding in ZoomScreen.BINDINGS]  # type: ignore[union-attr]

    assert all(described)


def test_curves_without_a_point_are_left_out() -> None:
    """A run that has just begun has none; neither has no run at all."""
    curves = [
        curves_of(metric, group, None, 0.1) for metric in METRICS for group in (SeedGroup(), SeedGroup((trained(0),)))
    ]

    assert curves == [[]] * 2 * len(METRICS)
