"""The command line: arguments to specs and options, and the exit code. torch is loaded only by what trains."""

import argparse
import gc
import io
import json
import os
import sys
import traceback
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

from mnist_tui.errors import (
    ExitCode,
    MnistTuiError,
    PresetError,
    SettingsError,
    SpecError,
    UsageError,
)
from mnist_tui.settings import settings, types
from mnist_tui.settings.settings import Settings
from mnist_tui.spec import presets, summary
from mnist_tui.spec.run_spec import RunSpec
from mnist_tui.text import cell_width, clean, clean_line, did_you_mean, fitted
from mnist_tui.tui import supervisor, terminal

if TYPE_CHECKING:
    from mnist_tui.runs.storage import SavedRun
    from mnist_tui.settings.last_used import LastUsed
    from mnist_tui.spec.draft import Draft
    from mnist_tui.spec.run_options import Options
    from mnist_tui.tui.request import LabRequest

RUN = "a run folder, its name, or the end of its name"
"""How every command names a run."""

EPILOG = """\
commands:
  mnist-tui                             the laboratory, on what was used last
  mnist-tui --preset NAME --start       the laboratory, training at once
  mnist-tui watch [RUN]                 looks at a run that some process trains; without RUN the newest
  mnist-tui --list                      every preset: title, parameters, published accuracy, target
  mnist-tui show NAME|FILE.toml         the layer table (--json, --torchsummary)
  mnist-tui --batch NAME [NAME ...]     train, one line an epoch; the run folder comes last
  mnist-tui resume [RUN]                go on with an interrupted run; without RUN the newest one
  mnist-tui extend RUN N                train a completed run for N more epochs, in a new folder
  mnist-tui runs [FILTER]               saved runs: iter* params<20000 acc>99.4 opt:sgd (--group, --sort, --json)
  mnist-tui open RUN                    all that is known of a run: what changed, epochs, notes (--plot: its curve)
  mnist-tui compare A B                 runs, or all seeds of presets: what differs, and whether noise could do it
  mnist-tui tag|note|export|delete RUN  restore RUN takes it out of the trash
  mnist-tui layers                      every kind of layer with its arguments
  mnist-tui doctor                      versions, device, threads, data, folders
  mnist-tui config                      every setting and where it comes from; get, set, unset, edit, path

RUN is a run folder, its name, or the end of its name.

exit codes: 0 done, 1 training failed, 2 wrong input (also: there is no such run, or it cannot do that),
3 environment (no data, no device, a folder that is damaged or not writable), 4 target missed (--require-target),
129 terminal closed (on_hangup = "stop"), 130 Ctrl-C, 143 terminated.
"""


class _Parser(argparse.ArgumentParser):
    """argparse with one clear line for an error, and the nearest option for an unknown one."""

    def error(self, message: str) -> NoReturn:
        unknown = message.removeprefix("unrecognized arguments: ").split(" ")[0]
        near = did_you_mean(unknown, self._option_string_actions) if unknown.startswith("-") else ""
        raise UsageError(f"{clean_line(message, 300)}{near}; see mnist-tui --help")


def _main_parser() -> _Parser:
    parser = _Parser(
        prog="mnist-tui",
        description="The terminal laboratory for small image classifiers.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    parser.add_argument("-V", "--version", action="store_true", help="the version, and nothing else")
    what = parser.add_mutually_exclusive_group()
    what.add_argument("--list", action="store_true", help="list the presets")
    what.add_argument("--batch", nargs="+", metavar="NAME", help="train presets, or FILE.toml, without a dashboard")
    parser.add_argument("--preset", metavar="NAME", help="open the laboratory on a preset, or on FILE.toml")
    parser.add_argument("--start", action="store_true", help="in the laboratory: train at once")
    _add_screen_options(parser)
    parser.add_argument(
        "--dry-run", action="store_true", help="with --batch: table, steps, verdict, time; trains nothing"
    )
    parser.add_argument(
        "--set", action="append", default=[], metavar="KEY=VALUE", help="optimizer.lr=0.01, dropout=0.2, …"
    )
    parser.add_argument("--epochs", metavar="N", help="short for --set epochs=N")
    parser.add_argument("--seed", metavar="N", help="short for --set seed=N")
    parser.add_argument("--seeds", type=int, metavar="N", help="train N times, with N seeds in a row")
    parser.add_argument("--models", type=Path, metavar="DIR", help="one more folder of presets")
    _add_run_options(parser)
    _add_output_options(parser)
    return parser


def _add_screen_options(parser: argparse.ArgumentParser) -> None:
    either = argparse.BooleanOptionalAction
    parser.add_argument("--ascii", action=either, help="neither braille nor blocks nor boxes (default: without UTF-8)")
    parser.add_argument("--mouse", action=either, help="use it, or leave it to the terminal")
    theme = parser.add_mutually_exclusive_group()
    theme.add_argument("--light", action="store_const", const="light", dest="theme", help="the light theme")
    theme.add_argument("--dark", action="store_const", const="dark", dest="theme", help="the dark theme")
    parser.add_argument("--plain", action="store_true", help="lines of text instead of a screen")


def _add_run_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--device", help="auto, cpu, cuda, cuda:1, mps (default: auto)")
    parser.add_argument(
        "--dataset",
        choices=("auto", "mnist", "digits"),
        help="auto, the default: small digits, loudly, where MNIST cannot be had and no folder is named for it",
    )
    _add_data_dir(parser)
    parser.add_argument("--runs-dir", type=Path, metavar="DIR", help="where run folders are made (default: ./runs)")
    parser.add_argument("--threads", type=int, metavar="N", help="torch threads (default: all cores but one)")


def _add_data_dir(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--data-dir",
        type=Path,
        metavar="DIR",
        help="where MNIST/raw is, and no other folder is looked in; else MNIST is downloaded there, and DIR is made "
        "inside a folder that exists (default: your cache folder, or ./data)",
    )


def _add_output_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--require-target", action="store_true", help="exit code 4 where a target is missed")
    parser.add_argument("--json", action="store_true", help="one JSON object per event on stdout")
    parser.add_argument("-q", "--quiet", action="store_true", help="no talk on stderr but warnings")


def _version() -> str:
    from importlib.metadata import PackageNotFoundError, version  # 20 ms.

    try:
        return f"mnist-tui {version('mnist-tui')}"
    except PackageNotFoundError:
        return "mnist-tui (not installed)"


# --- commands ---


def _show(arguments: Sequence[str]) -> int:
    parser = _Parser(prog="mnist-tui show", allow_abbrev=False)
    parser.add_argument("name", help="a preset, or FILE.toml")
    parser.add_argument("--json", action="store_true", help="the table as JSON")
    parser.add_argument("--torchsummary", action="store_true", help="the classic three columns")
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE")
    parser.add_argument("--models", type=Path, metavar="DIR")
    options = parser.parse_args(arguments)
    (spec,) = _apply_settings([presets.load(options.name, options.models)], _settings(options.set), options.models)
    if options.json:
        print(json.dumps(summary.as_json(spec)))
    elif options.torchsummary:
        print(summary.torchsummary(spec))
    else:
        print(clean(f"{summary.table(spec)}\n{summary.recipe(spec)}", 1_000_000))
    return 0


def _list(extra: Path | None, as_json: bool) -> int:
    specs = list(presets.load_all(extra))
    if as_json:
        print(json.dumps([_preset_record(spec) for spec in specs]))
        return 0
    width = max(cell_width(spec.name) for spec in specs)
    print(f"{'name':<{width}}  {'params':>8}  {'published':>9}  {'target':>6}  title")
    for spec in specs:
        reported, wanted = spec.reported, spec.target.test_accuracy
        accuracy = f"{reported.accuracy:.2%}" if reported and reported.accuracy is not None else ""
        mark = "*" if reported and reported.measured_on != "10,000 test images" else " "
        target = f"{wanted:.1%}" if wanted else ""
        name = fitted(spec.name, width)
        print(clean(f"{name}  {spec.parameters:>8,}  {accuracy:>8}{mark}  {target:>6}  {spec.title}"))
    print("* not measured on the test set: mnist-tui show NAME says on what")
    return 0


def _preset_record(spec: RunSpec) -> dict[str, Any]:
    reported = spec.reported
    return {
        "name": spec.name,
        "title": spec.title,
        "source": spec.source,
        "parameters": spec.parameters,
        "published_accuracy": reported.accuracy if reported else None,
        "measured_on": reported.measured_on if reported else None,
        "target": spec.target.model_dump(exclude_none=True),
    }


def _layers(arguments: Sequence[str]) -> int:
    from mnist_tui.spec.layers import describe_layers

    _Parser(prog="mnist-tui layers", allow_abbrev=False).parse_args(arguments)
    print("\n".join(describe_layers()))
    return 0


def _doctor(arguments: Sequence[str]) -> int:
    parser = _Parser(prog="mnist-tui doctor", allow_abbrev=False)
    parser.add_argument("--json", action="store_true", help="the findings as JSON")
    _add_data_dir(parser)
    parser.add_argument("--runs-dir", type=Path, metavar="DIR")
    options = parser.parse_args(arguments)
    chosen = settings.load()
    if options.data_dir:  # One in the settings is a finding.
        settings.check_data_dir("--data-dir", options.data_dir)
    from mnist_tui.cli import doctor

    findings = doctor.examine(options.data_dir or chosen.data_dir, options.runs_dir or chosen.runs_dir)
    print(json.dumps(doctor.as_json(findings)) if options.json else clean(doctor.as_text(findings)))
    return 0 if all(finding.is_usable for finding in findings) else ExitCode.ENVIRONMENT


def _resume(arguments: Sequence[str]) -> int:
    parser = _Parser(prog="mnist-tui resume", allow_abbrev=False)
    parser.add_argument("run", nargs="?", help=f"{RUN}; without it the newest that was interrupted or stopped")
    _add_run_options(parser)
    _add_output_options(parser)
    options = parser.parse_args(arguments)
    where = _options(options, _as_recorded())
    from mnist_tui.cli import headless
    from mnist_tui.runs import index

    saved = _saved(options.run, where.runs_dir) if options.run else index.newest_resumable(where.runs_dir)
    return headless.resume(saved, where, headless.Output(options.json, options.quiet), options.require_target)


def _saved(named: str, runs_dir: Path) -> "SavedRun":
    """The run of a path, a name, or the end of a name."""
    from mnist_tui.runs import index, storage

    return storage.load_run(index.find_run(named, runs_dir).folder)


def _batch(options: argparse.Namespace) -> int:
    specs = _specs(options)
    where = _options(options, settings.load())
    from mnist_tui.cli import headless  # 2 s: after everything that can be wrong without torch was looked at.

    output = headless.Output(options.json, options.quiet)
    if options.dry_run:
        return headless.dry_run(specs, where, output)
    return headless.batch(specs, where, output, options.require_target)


def _specs(options: argparse.Namespace) -> list[RunSpec]:
    """Every run that was asked for: names times seeds, with all settings; raises before any of them starts."""
    if options.preset or options.start:
        raise UsageError("--preset and --start open the laboratory; --batch takes the names itself")
    specs = [presets.load(name, options.models) for name in options.batch]
    return _with_seeds(_apply_settings(specs, _all_settings(options), options.models), options.seeds)


def _all_settings(options: argparse.Namespace) -> dict[str, str]:
    """What --set, --epochs and --seed ask for."""
    wanted = _settings(options.set)
    for name in ("epochs", "seed"):
        if getattr(options, name) is not None:
            wanted[name] = getattr(options, name)
    return wanted


def _with_seeds(specs: Sequence[RunSpec], seeds: int | None) -> list[RunSpec]:
    """Every spec with so many seeds in a row."""
    if seeds is None:
        return list(specs)
    count = _count(seeds)
    return [spec.with_settings({"seed": str(spec.train.seed + index)}) for spec in specs for index in range(count)]


def _count(seeds: int | None) -> int:
    if seeds is not None and not 1 <= seeds <= 1000:
        raise UsageError("--seeds must be between 1 and 1000")
    return seeds or 1


def _settings(pairs: Sequence[str]) -> dict[str, str]:
    for pair in pairs:
        if "=" not in pair:
            raise UsageError(f"--set {clean_line(pair, 60)}: expected KEY=VALUE, such as optimizer.lr=0.01")
    return {key.strip(): value.strip() for key, _, value in (pair.partition("=") for pair in pairs)}


def _apply_settings(specs: Sequence[RunSpec], settings: dict[str, str], models: Path | None) -> list[RunSpec]:
    """The specs with settings; raises `SpecError`, for a knob that one of them lacks with the presets that have it."""
    for name in settings:
        _check_knob(name, specs, models)
    return [spec.with_settings(settings) if settings else spec for spec in specs]


def _check_knob(name: str, specs: Sequence[RunSpec], models: Path | None) -> None:
    knob = name.removeprefix("knobs.")
    lacking = list(dict.fromkeys(spec.name for spec in specs if not spec.has_setting(knob)))
    if not lacking or "." in knob:
        return
    having = dict.fromkeys(spec.name for spec in specs if knob in spec.knobs)
    if names := list(having | dict.fromkeys(presets.with_knob(knob, models))):
        more = f" and {len(names) - 12} more" if len(names) > 12 else ""
        verb = "have" if len(lacking) > 1 else "has"
        raise SpecError(
            f"--set {name}: {', '.join(lacking)} {verb} no knob {knob!r}; it is in {', '.join(names[:12])}{more}",
            (name,),
        )


def _options(options: argparse.Namespace, chosen: Settings) -> "Options":
    """What the command line says; where it says nothing, the settings."""
    device = chosen.device if options.device is None else options.device
    if not types.DEVICE.is_right(device):
        raise UsageError(f"--device {clean_line(device, 40)}: must be {types.DEVICE.must_be}")
    from mnist_tui.spec.run_options import Options

    threads = chosen.threads if options.threads is None else options.threads
    if threads is not None and not types.COUNT.is_right(threads):
        raise UsageError(f"--threads {threads}: must be {types.COUNT.must_be}")
    dataset = options.dataset or chosen.dataset
    return Options(
        device=device,
        dataset=dataset,
        data_dir=_data_dir(options.data_dir, chosen, is_needed=dataset != "digits"),
        runs_dir=options.runs_dir or chosen.runs_dir,
        threads=threads,
        command=tuple(clean_line(argument) for argument in sys.argv[1:]),
    )


def _as_recorded() -> Settings:
    """The settings for what goes on with a run: its own device and threads, on which it goes on bit for bit."""
    return replace(settings.load(), device="auto", threads=None)


def _data_dir(named: Path | None, chosen: Settings, is_needed: bool) -> Path | None:
    """The folder of the command line, else that of the settings; raises `SettingsError` where it cannot hold MNIST."""
    if named is not None:
        settings.check_data_dir("--data-dir", named)
    elif chosen.data_dir is not None and is_needed:
        settings.check_data_dir(f"{settings.resolved()['data_dir'].origin}: data_dir", chosen.data_dir)
    return named or chosen.data_dir


def _runs_dir(named: Path | None) -> Path:
    return named or settings.load().runs_dir


def _lab(options: argparse.Namespace) -> int:
    """The laboratory; where the terminal cannot draw, the same as lines."""
    for name in ("dry_run", "json", "require_target"):
        if getattr(options, name):
            raise UsageError(f"--{name.replace('_', '-')} goes with --batch NAME")
    chosen = settings.load()
    last, notice = _last_used()
    draft = _initial_draft(options, chosen, last)
    if options.plain or (terminal.is_terminal() and terminal.is_dumb()):
        return _plain_lab(options, _valid_spec(draft), chosen)
    if not terminal.is_terminal():
        raise UsageError(f"the laboratory needs a terminal; train without one: mnist-tui --batch {draft.base.name}")
    request = _request(options, draft, chosen)
    previous = last.draft if last and last.draft.changed_count and last.draft != draft else None
    texts = _run_texts(options, last)
    return _open(replace(request, previous=previous, run_texts=texts, start=options.start, notice=notice))


def _last_used() -> "tuple[LastUsed | None, str]":
    """What was designed last, and a sentence where that cannot be read."""
    from mnist_tui.settings.last_used import last_used

    try:
        return last_used(), ""
    except SettingsError as error:
        return None, str(error)


def _initial_draft(options: argparse.Namespace, chosen: Settings, last: "LastUsed | None") -> "Draft":
    """What the laboratory opens on: the named preset, or what was designed last, or the preset of the settings."""
    from mnist_tui.spec.draft import Draft

    wanted = _all_settings(options)
    if options.preset or last is None:
        draft = Draft(
            presets.load(options.preset, options.models) if options.preset else _first(chosen, options.models)
        )
    else:
        draft = last.draft
    if not wanted:
        return draft
    (changed,) = _apply_settings([_valid_spec(draft)], wanted, options.models)
    return Draft.of(changed, draft.base)


def _valid_spec(draft: "Draft") -> RunSpec:
    """The run that a draft comes to; ends where something is wrong in it."""
    if draft.result.spec is None:
        raise UsageError(
            "what was designed last has mistakes: open mnist-tui and correct them, or name a preset: --preset"
        )
    return draft.result.spec


def _run_texts(options: argparse.Namespace, last: "LastUsed | None") -> dict[str, str]:
    """What stands in the fields of the run at first: what was typed last, but for what the command line says."""
    seeds = {"seeds": str(_count(options.seeds))} if options.seeds is not None else {}
    if last is None or options.preset:
        return seeds
    given = {name for name in ("device", "dataset") if getattr(options, name) is not None}
    return {name: text for name, text in last.run_texts.items() if name not in given} | seeds


def _first(chosen: Settings, models: Path | None) -> RunSpec:
    try:
        return presets.load(chosen.preset, models)
    except PresetError as error:
        raise SettingsError(f"{settings.resolved()['preset'].origin}: preset: {error}") from None


def _plain_lab(options: argparse.Namespace, spec: RunSpec, chosen: Settings) -> int:
    where = _options(options, chosen)
    print(clean(f"{summary.table(spec)}\n{summary.recipe(spec)}", 1_000_000))
    if not options.start:
        print(f"\nto train: mnist-tui --batch {clean_line(spec.name)}, or mnist-tui --plain --start")
        return 0
    specs = _with_seeds([spec], options.seeds)
    from mnist_tui.cli import headless

    return headless.batch(specs, where, headless.Output(False, options.quiet), False)


def _request(options: argparse.Namespace, draft: "Draft", chosen: Settings) -> "LabRequest":
    from mnist_tui.tui.request import LabRequest

    if (chosen.columns, chosen.sort) != (Settings.columns, Settings.sort):
        from mnist_tui.runs import columns  # What is usual is right, and the first frame need not wait for it.

        columns.from_settings(settings.resolved())
    return LabRequest(
        draft=draft,
        options=_options(options, chosen),
        models=getattr(options, "models", None),
        ascii=(chosen.ascii or not terminal.has_utf8()) if options.ascii is None else options.ascii,
        light=(options.theme or chosen.theme) == "light",
        mouse=chosen.mouse if options.mouse is None else options.mouse,
        on_hangup=chosen.on_hangup,
        columns=chosen.columns,
        sort=chosen.sort,
        keymap=chosen.keymap,
    )


def _open(request: "LabRequest") -> NoReturn:
    """Opens the screen in a child, so that this process can put the terminal back whatever happens to it."""
    terminal.prepare()

    def main(report: "supervisor.Report") -> int:
        gc.disable()  # Until the first frame is drawn: collections over all that is being loaded cost a tenth of it.
        from mnist_tui.tui.app import run_lab

        return _exit_code_of(lambda: run_lab(request, report))

    supervisor.run_supervised(main)


def _watch(arguments: Sequence[str]) -> int:
    parser = _Parser(prog="mnist-tui watch", allow_abbrev=False)
    parser.add_argument("run", nargs="?", help=f"{RUN}; without it the newest that is trained")
    parser.add_argument("--json", action="store_true", help="one JSON object per event on stdout, and no screen")
    _add_screen_options(parser)
    _add_run_options(parser)
    options = parser.parse_args(arguments)
    chosen = settings.load()
    where = _options(options, chosen)
    from mnist_tui.cli import watch
    from mnist_tui.runs import index, storage
    from mnist_tui.spec.draft import Draft

    folder = index.find_run(options.run, where.runs_dir).folder if options.run else index.newest_run(where.runs_dir)
    if options.plain or options.json or not terminal.is_terminal() or terminal.is_dumb():
        return watch.print_events(folder, options.json)
    saved = storage.load_run(folder).spec
    return _open(replace(_request(options, Draft(saved), chosen), watch=folder))


def _extend(arguments: Sequence[str]) -> int:
    parser = _Parser(prog="mnist-tui extend", allow_abbrev=False)
    parser.add_argument("run", help=f"a completed run: {RUN}")
    parser.add_argument("epochs", type=int, help="how many more")
    _add_run_options(parser)
    _add_output_options(parser)
    options = parser.parse_args(arguments)
    if not 1 <= options.epochs <= 10_000:
        raise UsageError(f"{options.epochs} epochs more: must be 1 to 10,000")
    where = _options(options, _as_recorded())
    from mnist_tui.cli import headless

    saved = _saved(options.run, where.runs_dir)
    output = headless.Output(options.json, options.quiet)
    return headless.extend(saved, options.epochs, where, output, options.require_target)


RUN_COMMANDS = ("runs", "open", "compare", "tag", "note", "delete", "restore", "export")
"""What is done with saved runs: `run_commands` has them."""


def _on_runs(command: str, arguments: Sequence[str]) -> int:
    from mnist_tui.cli import runs as run_commands

    return run_commands.run(command, arguments, _Parser, _runs_dir)


def _config(arguments: Sequence[str]) -> int:
    from mnist_tui.cli import config as config_commands

    return config_commands.run(arguments, _Parser)


COMMANDS: dict[str, Callable[[Sequence[str]], int]] = {
    "show": _show,
    "resume": _resume,
    "watch": _watch,
    "layers": _layers,
    "doctor": _doctor,
    "config": _config,
    "extend": _extend,
    **{command: partial(_on_runs, command) for command in RUN_COMMANDS},
}


def _dispatch(arguments: Sequence[str]) -> int:
    if arguments and arguments[0] in COMMANDS:
        return COMMANDS[arguments[0]](arguments[1:])
    if arguments and not arguments[0].startswith("-"):
        near = did_you_mean(arguments[0], COMMANDS) or f"; known are {', '.join(COMMANDS)}, and --batch NAME trains"
        raise UsageError(f"there is no command {clean_line(arguments[0], 60)!r}{near}")
    parser = _main_parser()
    options = parser.parse_args(arguments)
    if options.version:
        print(_version())
        return 0
    if options.list:
        return _list(options.models, options.json)
    if options.batch:
        return _batch(options)
    return _lab(options)


def main() -> None:
    """Runs the command line and ends the process with its exit code; no traceback reaches the user."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            with suppress(OSError):  # A stream whose file was exchanged for a pipe cannot be asked where it stands.
                stream.reconfigure(errors="replace")  # A terminal without UTF-8 gets ? for what it cannot show.
    sys.exit(_exit_code_of(lambda: _dispatch(sys.argv[1:])))


def _exit_code_of(run: Callable[[], int]) -> int:
    """The exit code of `run`; whatever it raises is one line."""
    try:
        return run()
    except KeyboardInterrupt:
        return ExitCode.INTERRUPTED
    except MnistTuiError as error:
        print(f"mnist-tui: {clean_line(str(error), 10_000)}", file=sys.stderr)
        return error.exit_code
    except BrokenPipeError:
        sys.stdout = open(os.devnull, "w")  # noqa: SIM115  # what is left to flush at exit goes nowhere
        return 0
    except Exception as error:
        return _report_crash(error)


def _report_crash(error: Exception) -> int:
    """Says a mistake of ours in one line, its traceback goes to a file; the exit code."""
    from platformdirs import user_log_path

    path = user_log_path("mnist-tui", ensure_exists=True) / "crash.log"
    path.write_text(traceback.format_exc())
    what = f"{type(error).__name__}: {clean_line(str(error), 200)}"
    print(f"mnist-tui: internal error: {what}; the traceback is in {clean_line(str(path))}", file=sys.stderr)
    return ExitCode.FAILED
