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

from mnist_tui.events import EpochEnded, Event, Paused, Progress, RunEnded, RunStarted, Steered, WentOn
from mnist_tui.tui.bench import Bench
from mnist_tui.tui.canvas import BRAILLE, Canvas, Frame
from mnist_tui.tui.chart import MIN_SECONDS, POINTS, Chart, Picture
from mnist_tui.tui.curves import METRICS, Metric, curves_of, limits, smooth, thin, ticks
from mnist_tui.tui.themes import DARK, LIGHT
from mnist_tui.tui.track import MAX_POINTS, Group, Track
from mnist_tui.tui.training import TrainingView
from mnist_tui.tui.zoom import Plot, Readout, ZoomScreen

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


def trained(epochs: int = 3, looks: int = 10, **changes: Any) -> Track:
    """A run so far."""
    track = Track()
    track.add(replace(STARTED, **changes))
    for epoch in range(1, epochs + 1):
        for look in range(1, looks + 1):
            track.add(step(epoch, look * 100 // looks, 1 / (epoch + look / looks)))
        track.add(row(epoch, 0.98 + 0.001 * min(epoch, 2)))
    return track


def picture(metric: Metric, track: Track) -> Picture:
    """What a chart is given of a run."""
    best = track.best.epoch if track.best else None
    lines = curves_of(metric, Group((track,)), None, 0.6)
    return Picture(lines, [x for x, _ in track.marks], best, 20.0, (len(track.points), len(track.rows)))


# --- tracks ---


def test_a_track_tells_state_best_and_fraction() -> None:
    """Events move a run through its states; the best epoch is the first of equals."""
    track, states = trained(4), []
    for event in (Paused(5, 3), WentOn(5, 3), RunEnded("diverged", "", 4, None, None, "test", None, 1.0)):
        track.add(event)
        states.append(track.state)

    assert states == ["paused", "training", "diverged"]
    assert track.best is not None
    assert (track.best.epoch, track.fraction_done) == (2, 0.2)


def test_the_time_of_arrival_leaves_pauses_out() -> None:
    """An epoch in 10 s leaves 190 s for 19; an hour's pause changes nothing; the first seconds tell nothing."""
    now = [0.0]
    track = Track(clock=lambda: now[0])
    told: list[float | None] = []
    track.add(STARTED)
    for seconds, event in ((1.0, step(1, 10)), (2.0, step(1, 20)), (10.0, step(1, 100)), (10.5, Paused(1, 100))):
        now[0] = seconds
        track.add(event)
        told.append(track.eta_seconds())
    now[0] = 3_600.0
    track.add(WentOn(1, 100))
    for seconds, event in ((3_601.0, step(2, 10)), (3_611.0, step(2, 100))):
        now[0] = seconds
        track.add(event)

    assert [told[0], told[1], told[3]] == [None, None, None]
    assert told[2] == pytest.approx(190.0)
    assert track.eta_seconds() == pytest.approx(200.0)


def test_points_stay_bounded_and_the_newest_is_kept() -> None:
    """Ten times as many looks as are kept: the memory is bounded, and the curve ends where the run is."""
    track = Track()
    track.add(replace(STARTED, steps_per_epoch=100))
    for index in range(10 * MAX_POINTS):
        track.add(step(1 + index // 100, 1 + index % 100))

    assert MAX_POINTS // 2 <= len(track.points) <= MAX_POINTS
    assert track.points[-1].epoch == pytest.approx(10 * MAX_POINTS / 100, abs=0.1)


def test_what_is_trained_again_is_drawn_once() -> None:
    """A run that goes on from the checkpoint of epoch 2 forgets what it told after it; marks before it stay."""
    track = trained(3)
    for event in (Steered(1, 50, 0.1), Steered(4, 20, 0.2), step(4, 30)):
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


def test_a_band_holds_epochs_that_two_seeds_have() -> None:
    """Lowest, mean and highest; an epoch that one seed alone has is no band."""
    first, second = trained(2), trained(1)
    second.rows = [row(1, 0.95)]
    ((epoch, *values),) = Group((first, second)).band(lambda one: one.test_accuracy)

    assert epoch == 1
    assert values == pytest.approx([0.95, 0.9655, 0.981])


# --- curves ---


@given(st.lists(st.floats(0.001, 10), min_size=1, max_size=50), st.sampled_from([0.0, 0.6, 0.9]))
def test_smoothing_stays_within_the_data(ys: list[float], weight: float) -> None:
    """An average leaves no bounds, begins where the data begin, and without weight is the data."""
    smoothed = smooth(ys, weight)

    assert smoothed[0] == pytest.approx(ys[0])
    assert all(min(ys) - 1e-9 <= y <= max(ys) + 1e-9 for y in smoothed)
    assert weight or smoothed == pytest.approx(ys)


def test_smoothing_goes_on_over_what_is_not_finite() -> None:
    """NaN stays NaN, as in TensorBoard, and does not pull its neighbours towards 0."""
    smoothed = smooth([NAN, 2.0, NAN, math.inf, 2.0], 0.9)

    assert [smoothed[1], smoothed[4]] == [pytest.approx(2.0), pytest.approx(2.0)]
    assert math.isnan(smoothed[0])
    assert smoothed[3] == math.inf


@given(st.lists(st.floats(-5, 5), min_size=1, max_size=300), st.integers(1, 40))
def test_thinning_keeps_peaks(ys: list[float], columns: int) -> None:
    """At most two points a column, in their order, the lowest and the highest among them."""
    xs, kept = thin(list(range(len(ys))), ys, columns)

    assert len(kept) <= max(2 * columns, 0)
    assert xs == sorted(xs)
    assert (min(kept), max(kept)) == (min(ys), max(ys))


def test_accuracy_is_in_percent_and_shows_where_something_happens() -> None:
    """A first epoch at 60 % does not press the others into a row; the top is never above 100 %."""
    track = trained(0)
    for epoch in range(1, 21):
        track.add(row(epoch, 0.6 if epoch == 1 else 0.99 + 0.0005 * epoch, train_accuracy=0.985))
    lines = curves_of("accuracy", Group((track,)), None, 0.0)
    low, high = limits("accuracy", lines, log_y=False)

    assert max(lines[-1].ys) == pytest.approx(100.0)
    assert 97 < low < 98.5
    assert high == 100.0


@pytest.mark.parametrize(("low", "high", "log_y"), [(0.003, 2.3, True), (93.8, 99.5, False), (0.0, 20.0, False)])
@pytest.mark.parametrize("count", [2, 4, 8])
def test_ticks_are_round_and_few(low: float, high: float, log_y: bool, count: int) -> None:
    """Labels are 1, 2, 3 or 5 times a power of ten apart or large, inside the axis, and no more than there is room."""
    found = ticks(low, high, count, log_y)

    assert 1 <= len(found) <= count + 1
    assert all(low <= tick <= high and len(f"{tick:.4g}") <= 5 for tick in found)


def test_the_raw_line_is_seen_beside_the_smoothed_one() -> None:
    """With smoothing both are drawn, the raw one below; without, there is one."""
    group = Group((trained(),))
    smoothed = [line.role for line in curves_of("loss", group, None, 0.6)]
    plain = [line.role for line in curves_of("loss", group, None, 0.0)]

    assert smoothed == ["raw", "train", "test"]
    assert plain == ["train", "test"]


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


# --- charts ---


class ChartApp(App[None]):
    """A chart alone."""

    def __init__(self, metric: Metric, ascii_only: bool) -> None:
        super().__init__()
        self.chart = Chart(metric, ascii_only, Bench(), "chart", log_y=metric == "loss")
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
    key = source().key
    async with app.run_test(size=size) as pilot:
        app.chart.show(source)
        await settled(pilot, lambda: app.chart._drawn is not None and app.chart._drawn[1] == key)
        yield pilot, app.chart


async def test_a_chart_has_legend_axis_and_best_epoch() -> None:
    """The legend stands over the curve and names every line with its last value; epochs stand under it."""
    track = trained(3)
    async with charted(lambda: picture("accuracy", track), (60, 16), "accuracy") as (_, chart):
        legend, *drawing = chart.render().plain.splitlines()

        assert legend.rstrip() == " accuracy  ─ train 97.00%  ● test 98.20%  * best 2"
        assert sum(line.count("*") for line in drawing) == 1
        assert drawing[-1].split() == ["0", "5", "10", "15", "20"]
        assert all(len(line) <= 60 for line in drawing)


@pytest.mark.parametrize("size", [(1, 1), (2, 1), (5, 3), (16, 5), (18, 6), (44, 12), (92, 20)])
@pytest.mark.parametrize("ascii_only", [False, True])
async def test_every_size_is_drawn(size: tuple[int, int], ascii_only: bool) -> None:
    """From one cell up; what is too small for axes is one line of words; nothing is wider than there is room."""
    track = trained(3)
    async with charted(lambda: picture("loss", track), size, ascii_only=ascii_only) as (_, chart):
        lines = chart.render().plain.splitlines()

        assert len(lines) == (1 if size < (18, 6) else size[1])
        assert max(map(len, lines)) <= size[0]


async def test_ascii_holds_with_marks_of_steering() -> None:
    """Curves, axes, the best epoch and the line where the rate was changed: no character beyond ASCII."""
    track = trained(3)
    track.add(Steered(3, 50, 0.01))
    async with charted(lambda: picture("loss", track), (60, 16), ascii_only=True) as (_, chart):
        drawn = chart.render().plain

        assert drawn.isascii()
        assert drawn.count("|") > 8


@pytest.mark.parametrize("metric", METRICS)
def test_another_rate_is_another_picture(metric: Metric) -> None:
    """Its mark is drawn at once, also in a chart that has nothing else that is new; without news nothing is drawn."""
    view = TrainingView(ascii_only=False, bench=Bench())
    view.group = Group((trained(3),))
    before, again = view._picture(metric), view._picture(metric)
    view.group.tracks[0].add(Steered(4, 50, 0.01))
    after = view._picture(metric)

    assert before.key == again.key
    assert after.marks == [3.5]
    assert after.key != before.key


@pytest.mark.parametrize("metric", METRICS)
@pytest.mark.parametrize(
    "rows", [[], [row(1, 0.1, test_loss=NAN, train_loss=NAN)], [row(1), row(2, test_loss=math.inf)]]
)
async def test_numbers_that_are_none_are_no_crash(metric: Metric, rows: list[EpochEnded]) -> None:
    """Losses that are not finite leave gaps, in a chart and in the zoom."""
    track = trained(0)
    events: list[Event] = [step(1, 10, NAN), step(1, 20, 2.0), *rows]
    for event in events:
        track.add(event)
    async with charted(lambda: picture(metric, track), (60, 16), metric) as (_, chart):
        assert "cannot draw" not in chart.render().plain
    async with zoomed(Group((track,)), metric=metric) as (_, screen):
        assert "epoch" in plotted(screen)


async def test_another_theme_has_its_colours_at_once() -> None:
    """A run that has ended tells nothing more, and is drawn in the new colours nevertheless."""
    track = trained(3)
    async with charted(lambda: picture("loss", track), (60, 16)) as (pilot, chart):

        def colours() -> set[str]:
            return {str(span.style) for span in chart.render().spans}

        dark = colours()
        pilot.app.theme = LIGHT.name
        await settled(pilot, lambda: LIGHT.primary in colours())

        assert DARK.primary in dark
        assert DARK.primary not in colours()


async def test_a_flood_of_news_is_drawn_seldom() -> None:
    """A hundred events at once cost two drawings at most: the one due now, and the last."""
    track, asked = trained(3), [0]

    def source() -> Picture:
        asked[0] += 1
        return picture("loss", track)

    async with charted(source, (60, 16)) as (pilot, chart):
        before = asked[0]
        for look in range(1, 101):
            track.add(step(4, look))
            chart.show(source)
        await settled(pilot, lambda: chart._drawn is not None and chart._drawn[1] == (len(track.points), 3))

        assert asked[0] - before <= 2
        assert "train" in chart.render().plain


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
    group: Group, pinned: Track | None = None, metric: Metric = "loss", ascii_only: bool = False
) -> AsyncIterator[tuple[Pilot[Any], ZoomScreen]]:
    """The zoom on some runs."""
    app: App[None] = App()
    screen = ZoomScreen(group, pinned, metric, 0.0, ascii_only)
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
    async with zoomed(Group((trained(3),)), trained(2, name="era5"), "accuracy") as (pilot, screen):
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
    track = Track()
    track.add(replace(STARTED, epochs=4, steps_per_epoch=900))
    for index in range(3_600):
        loss = 0.1 + 0.01 * (index % 2)
        track.add(Progress(1 + index // 900, 1 + index % 900, 900, loss, 0.002, 9_000.0))
    async with zoomed(Group((track,))) as (pilot, screen):
        await pilot.press("home", "right", *["plus"] * 12)
        plot = screen.query_one(Plot)
        top = plotted(screen).splitlines()[0][9:].replace("│", " ")

        assert plot.high_x - plot.low_x == pytest.approx(0.05)
        assert len(top.split()) >= 18


async def test_the_zoom_takes_every_key_with_any_run() -> None:
    """No run at all, a pinned run without an epoch, a run that has not begun an epoch: no key is a crash."""
    keys = ",".join(binding.key for binding in ZoomScreen.BINDINGS).split(",")  # type: ignore[union-attr]
    widths = []
    for group, pinned in ((Group(), None), (Group(), Track.from_saved("a", 0, "r", [])), (Group((trained(0),)), None)):
        async with zoomed(group, pinned) as (pilot, screen):
            for key in keys:
                if key not in ("escape", "q", "z"):
                    await pilot.press(key)
                    plotted(screen)
            widths.append(screen.query_one(Plot).high_x - screen.query_one(Plot).low_x)

    assert all(width > 0 for width in widths)


async def test_a_flood_is_drawn_seldom_in_the_zoom_too(monkeypatch: pytest.MonkeyPatch) -> None:
    """A hundred events in a row are one drawing more, a while later, and it has the last of them; keys do not wait."""
    track = trained(3)
    async with zoomed(Group((track,))) as (pilot, screen):
        drawn: list[float] = []
        show = screen._show

        def watched() -> None:
            drawn.append(time.monotonic())
            show()

        monkeypatch.setattr(screen, "_show", watched)
        screen._shown_at = began = time.monotonic()
        for look in range(1, 101):
            track.add(step(4, look))
            screen.show(Group((track,)), None)
        at_once = len(drawn)
        await settled(pilot, lambda: bool(drawn))
        waited = drawn[0] - began
        await pilot.press("y")

        assert at_once == 0
        assert waited >= 0.8 * MIN_SECONDS
        assert screen.query_one(Plot).lines[0].xs[-1] == 4.0
        assert len(drawn) == 2


async def test_the_zoom_in_ascii_with_a_click() -> None:
    """Plain characters alone; a click puts the cursor where it is."""
    track = trained(3)
    track.add(Steered(2, 50, 0.01))
    async with zoomed(Group((track,)), ascii_only=True) as (pilot, screen):
        await pilot.click(Plot, offset=(54, 5))
        drawn, cursor = plotted(screen), screen.query_one(Plot).cursor

        assert drawn.isascii()
        assert "*" in drawn
        assert cursor == pytest.approx(10.0, abs=0.2)


def test_every_binding_of_the_zoom_has_words() -> None:
    """Help and footer are made from them."""
    described = [binding.description for binding in ZoomScreen.BINDINGS]  # type: ignore[union-attr]

    assert all(described)


def test_curves_without_a_point_are_left_out() -> None:
    """A run that has just begun has none; neither has no run at all."""
    found = [curves_of(metric, group, None, 0.6) for metric in METRICS for group in (Group(), Group((trained(0),)))]

    assert found == [[]] * 6
