"""The command line: arguments to specs and options, and the exit code. torch is loaded only by what trains."""

import argparse
import io
import json
import os
import re
import sys
import traceback
from collections.abc import Callable, Sequence
from contextlib import suppress
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

from mnist_tui import presets, summary
from mnist_tui.calls import did_you_mean
from mnist_tui.presets import PresetError
from mnist_tui.spec import RunSpec, SpecError
from mnist_tui.text import clean, clean_line

if TYPE_CHECKING:
    from mnist_tui.session import Options

USAGE, ENVIRONMENT, FAILED, INTERRUPTED = 2, 3, 1, 130

EPILOG = """\
commands:
  mnist-tui --list                      every preset: title, parameters, published accuracy, target
  mnist-tui show NAME|FILE.toml         the layer table (--json, --torchsummary)
  mnist-tui --batch NAME [NAME ...]     train, one line an epoch; the run folder comes last
  mnist-tui resume [FOLDER]             go on with an interrupted run; without FOLDER the newest one
  mnist-tui layers                      every kind of layer with its arguments
  mnist-tui doctor                      versions, device, threads, data, folders

exit codes: 0 done, 1 training failed, 2 wrong input, 3 environment (no data, no device, folder not writable),
4 target missed (--require-target), 130 Ctrl-C, 143 terminated.
"""


class _Parser(argparse.ArgumentParser):
    """argparse with one clear line for an error, and the nearest option for an unknown one."""

    def error(self, message: str) -> NoReturn:
        unknown = message.removeprefix("unrecognized arguments: ").split(" ")[0]
        near = did_you_mean(unknown, self._option_string_actions) if unknown.startswith("-") else ""
        _fail(f"{clean_line(message, 300)}{near}; see mnist-tui --help", USAGE)


def _fail(message: str, code: int) -> NoReturn:
    print(f"mnist-tui: {clean_line(message, 10_000)}", file=sys.stderr)
    sys.exit(code)


def _main_parser() -> _Parser:
    parser = _Parser(
        prog="mnist-tui",
        description="The terminal laboratory for small image classifiers.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    parser.add_argument("-V", "--version", action="version", version=_version())
    what = parser.add_mutually_exclusive_group()
    what.add_argument("--list", action="store_true", help="list the presets")
    what.add_argument("--batch", nargs="+", metavar="NAME", help="train presets, or FILE.toml, without a dashboard")
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
    return parser


def _add_run_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--device", default="auto", help="auto, cpu, cuda, cuda:1, mps (default: auto)")
    parser.add_argument(
        "--dataset", choices=("auto", "mnist", "digits"), default="auto", help="auto falls back to digits, loudly"
    )
    parser.add_argument("--data-dir", type=Path, metavar="DIR", help="where MNIST/raw is, or is downloaded to")
    parser.add_argument("--runs-dir", type=Path, metavar="DIR", help="where run folders are made (default: ./runs)")
    parser.add_argument("--threads", type=int, metavar="N", help="torch threads (default: all cores but one)")
    parser.add_argument("--require-target", action="store_true", help="exit code 4 where a target is missed")
    parser.add_argument("--json", action="store_true", help="one JSON object per event on stdout")
    parser.add_argument("-q", "--quiet", action="store_true", help="no talk on stderr but warnings")


def _version() -> str:
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
    spec = _changed(presets.load(options.name, options.models), _settings(options.set))
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
        print(json.dumps([_listed(spec) for spec in specs]))
        return 0
    width = max(len(spec.name) for spec in specs)
    print(f"{'name':<{width}}  {'params':>8}  {'published':>9}  {'target':>6}  title")
    for spec in specs:
        reported, wanted = spec.reported, spec.target.test_accuracy
        accuracy = f"{reported.accuracy:.2%}" if reported and reported.accuracy is not None else ""
        mark = "*" if reported and reported.measured_on != "10,000 test images" else " "
        target = f"{wanted:.1%}" if wanted else ""
        print(clean(f"{spec.name:<{width}}  {spec.parameters:>8,}  {accuracy:>8}{mark}  {target:>6}  {spec.title}"))
    print("* not measured on the test set: mnist-tui show NAME says on what")
    return 0


def _listed(spec: RunSpec) -> dict[str, Any]:
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
    from mnist_tui.layers import describe_kinds

    _Parser(prog="mnist-tui layers", allow_abbrev=False).parse_args(arguments)
    print("\n".join(describe_kinds()))
    return 0


def _doctor(arguments: Sequence[str]) -> int:
    parser = _Parser(prog="mnist-tui doctor", allow_abbrev=False)
    parser.add_argument("--json", action="store_true", help="the findings as JSON")
    parser.add_argument("--data-dir", type=Path, metavar="DIR")
    parser.add_argument("--runs-dir", type=Path, metavar="DIR")
    options = parser.parse_args(arguments)
    from mnist_tui import doctor

    findings = doctor.examine(options.data_dir, _runs_dir(options.runs_dir))
    print(json.dumps(doctor.as_json(findings)) if options.json else clean(doctor.as_text(findings)))
    return 0 if all(finding.is_usable for finding in findings) else ENVIRONMENT


def _resume(arguments: Sequence[str]) -> int:
    parser = _Parser(prog="mnist-tui resume", allow_abbrev=False)
    parser.add_argument("folder", nargs="?", type=Path, help="a run folder; without it the newest interrupted run")
    _add_run_options(parser)
    options = parser.parse_args(arguments)
    from mnist_tui import headless, session, storage

    folder: Path | None = options.folder
    saved = storage.load_run(folder) if folder else session.newest_resumable(_runs_dir(options.runs_dir))
    return headless.resume(
        saved, _options(options), headless.Output(options.json, options.quiet), options.require_target
    )


def _batch(options: argparse.Namespace) -> int:
    specs = _specs(options)
    from mnist_tui import headless  # 2 s: after everything that can be wrong without torch was looked at.

    output = headless.Output(options.json, options.quiet)
    if options.dry_run:
        return headless.dry_run(specs, _options(options), output)
    return headless.batch(specs, _options(options), output, options.require_target)


def _specs(options: argparse.Namespace) -> list[RunSpec]:
    """Every run that was asked for: names times seeds, with all settings; raises before any of them starts."""
    settings = _settings(options.set)
    for name in ("epochs", "seed"):
        if getattr(options, name) is not None:
            settings[name] = getattr(options, name)
    specs = [_changed(presets.load(name, options.models), settings) for name in options.batch]
    if options.seeds is None:
        return specs
    if not 1 <= options.seeds <= 1000:
        _fail("--seeds must be between 1 and 1000", USAGE)
    return [
        spec.with_settings({"seed": str(spec.train.seed + index)}) for spec in specs for index in range(options.seeds)
    ]


def _settings(pairs: Sequence[str]) -> dict[str, str]:
    for pair in pairs:
        if "=" not in pair:
            _fail(f"--set {clean_line(pair, 60)}: expected KEY=VALUE, such as optimizer.lr=0.01", USAGE)
    return {key.strip(): value.strip() for key, _, value in (pair.partition("=") for pair in pairs)}


def _changed(spec: RunSpec, settings: dict[str, str]) -> RunSpec:
    """The spec with settings; a knob that only other presets have is said to change nothing here."""
    fitting = dict(settings)
    for name in settings:
        if name.isidentifier() and not spec.has_setting(name) and name in presets.known_knobs():
            print(f"mnist-tui: {spec.name} has no {name}, so --set {name} changes nothing there", file=sys.stderr)
            del fitting[name]
    return spec.with_settings(fitting) if fitting else spec


def _options(options: argparse.Namespace) -> "Options":
    if not re.fullmatch(r"auto|cpu|mps|cuda(:[0-9]+)?", options.device):
        _fail(f"--device {clean_line(options.device, 40)}: must be auto, cpu, cuda, cuda:0, cuda:1, … or mps", USAGE)
    from mnist_tui.session import Options

    if options.threads is not None and not 1 <= options.threads <= 1024:
        _fail("--threads must be between 1 and 1024", USAGE)
    return Options(
        device=options.device,
        dataset=options.dataset,
        data_dir=options.data_dir,
        runs_dir=_runs_dir(options.runs_dir),
        threads=options.threads,
        command=tuple(clean_line(argument) for argument in sys.argv[1:]),
    )


def _runs_dir(named: Path | None) -> Path:
    return named or Path(os.environ.get("MNIST_TUI_RUNS_DIR") or "runs")


COMMANDS: dict[str, Callable[[Sequence[str]], int]] = {
    "show": _show,
    "resume": _resume,
    "layers": _layers,
    "doctor": _doctor,
}


def _dispatch(arguments: Sequence[str]) -> int:
    if arguments and arguments[0] in COMMANDS:
        return COMMANDS[arguments[0]](arguments[1:])
    if arguments and not arguments[0].startswith("-"):
        near = did_you_mean(arguments[0], COMMANDS) or f"; known are {', '.join(COMMANDS)}, and --batch NAME trains"
        _fail(f"there is no command {clean_line(arguments[0], 60)!r}{near}", USAGE)
    parser = _main_parser()
    options = parser.parse_args(arguments)
    if options.list:
        return _list(options.models, options.json)
    if options.batch:
        return _batch(options)
    _fail("the dashboard is not part of this version; train with --batch NAME, or see --help", USAGE)


def main() -> None:
    """Runs the command line and ends the process with its exit code; no traceback reaches the user."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            with suppress(OSError):  # A stream whose file was exchanged for a pipe cannot be asked where it stands.
                stream.reconfigure(errors="replace")  # A terminal without UTF-8 gets ? for what it cannot show.
    try:
        code = _dispatch(sys.argv[1:])
    except KeyboardInterrupt:
        code = INTERRUPTED
    except (PresetError, SpecError) as error:
        _fail(str(error), USAGE)
    except BrokenPipeError:
        code = 0
        sys.stdout = open(os.devnull, "w")  # noqa: SIM115  # what is left to flush at exit goes nowhere
    except Exception as error:
        code = _known_failure(error)
    sys.exit(code)


def _known_failure(error: Exception) -> int:
    """The exit code of what the machine lacks; everything else is our own mistake, and goes to a file."""
    headless = sys.modules.get("mnist_tui.headless")
    if headless is not None and type(error) in headless.FAILURES:
        _fail(str(error), headless.FAILURES[type(error)])
    from platformdirs import user_log_path

    path = user_log_path("mnist-tui", ensure_exists=True) / "crash.log"
    path.write_text(traceback.format_exc())
    _fail(f"internal error: {type(error).__name__}: {clean_line(str(error), 200)}; the traceback is in {path}", FAILED)
