"""Every error that a user can meet, in one tree, and the exit codes of the process.

    MnistTuiError                   1
      InputError                    2  what was typed or written cannot be used
        UsageError                     the command line
        SpecError                      a network or a recipe
          UnusedKnobError              a knob that nothing uses
        CallError                      the text of a call
          LayerError                   a layer
        PresetError                    a preset file
        BriefError                     a course brief
        SweepError                     what a sweep is to try
        SettingsError                  a settings file or an environment variable
        FilterError                    a filter of saved runs
        ColumnError                    a column of the table of runs
        EditorError                    $VISUAL or $EDITOR
        ReportError                    a report's template, or the file it goes to
        ImageError                     a drawn or photographed digit
        LogError                       the log of another program
        ModuleError                    a user's own nn.Module
      MachineError                  3  this machine lacks something; another try may help
        FileError                      a file cannot be read
        DataError                      the data set
          DownloadError                its download
        DeviceError                    the device
        ClusterError                   a cluster of machines
        ProcessError                   a process that cannot be started
        MissingPackageError            a package that is installed only on request
        StorageError                   a run folder
          LockedError                  another process holds it
          RunError                  2  there is no such run, or it cannot do what was asked
          CheckpointError              a checkpoint

A message says what is wrong, where, and what to do. It is for people: code that decides looks at the class and at the
attributes, never at the words.
"""

from enum import IntEnum
from pathlib import Path
from typing import ClassVar


class ExitCode(IntEnum):
    """What the process tells its caller; part of the interface."""

    OK = 0
    FAILED = 1
    USAGE = 2
    ENVIRONMENT = 3
    TARGET_MISSED = 4
    NOT_REPRODUCED = 5
    INTERRUPTED = 130
    TERMINATED = 143


class MnistTuiError(Exception):
    """Something that the user is told in one line."""

    exit_code: ClassVar[ExitCode] = ExitCode.FAILED


def error_of(code: ExitCode, message: str) -> MnistTuiError:
    """An error with the words and the exit code of one that happened in another process."""
    kinds: dict[ExitCode, type[MnistTuiError]] = {ExitCode.USAGE: InputError, ExitCode.ENVIRONMENT: MachineError}
    return kinds.get(code, MnistTuiError)(message)


class InputError(MnistTuiError, ValueError):
    """What was typed or written cannot be used. A `ValueError`, so that pydantic reports it with its field."""

    exit_code = ExitCode.USAGE


class MachineError(MnistTuiError):
    """Something that is needed is missing on this machine."""

    exit_code = ExitCode.ENVIRONMENT


class UsageError(InputError):
    """The command line is wrong."""


class SpecError(InputError):
    """A run that cannot be: the message names the field (or the layer and its line) and what to do."""

    def __init__(
        self,
        reason: str,
        where: tuple[str, ...] = (),
        line: int | None = None,
        *,
        place: str = "",
        argument: str = "",
    ) -> None:
        super().__init__(reason)
        self.reason = reason
        """The message without the place."""
        self.where = where
        """The path of the field, such as `("train", "batch_size")`."""
        self.line = line
        """The line inside `layers`, from 1."""
        self.place = place
        """The field as a person finds it, such as `train.batch_size` or `--set lr`; "" where the reason names it."""
        self.argument = argument
        """The name of the argument that is wrong, where the field is a call; "" where no single one is."""

    def __str__(self) -> str:
        return f"{self.place}: {self.reason}" if self.place else self.reason


class UnusedKnobError(SpecError):
    """A knob that no layer and no argument uses, so that it can be left out."""


class CallError(InputError):
    """A text that is no call, or a call whose arguments do not fit; `line` counts from 1 where it is known."""

    def __init__(self, message: str, line: int | None = None, argument: str = "") -> None:
        super().__init__(message)
        self.line = line
        self.argument = argument
        """The name of the argument that is wrong; "" where it has no name, or no single one is wrong."""


class LayerError(CallError):
    """A layer that is unknown, has wrong arguments or does not fit its input; `line` is its line of the text."""


class PresetError(InputError):
    """A preset that is not there or cannot be used; the message names the file, the line and what to do."""


class SweepError(InputError):
    """A sweep that cannot be: the message names the setting or the file and what to do."""


class BriefError(InputError):
    """A course brief that is not there or cannot be used; the message names the file, the step, the key and why."""


class SettingsError(InputError):
    """A settings file or an environment variable that cannot be used; the message names it, the key and the way out."""


class FilterError(InputError):
    """A filter that cannot be read; the message names the word and what to do."""


class ColumnError(InputError):
    """There is no such column; the message names the nearest one."""


class EditorError(InputError):
    """The user's editor cannot be opened; the message says why and what to do."""


class ReportError(InputError):
    """A report's template that cannot be used, or a file that it must not replace; the message says what to do."""


class ImageError(InputError):
    """An image without a digit, or one that cannot be read as an image; the message says what to do."""


class LogError(InputError):
    """The log of another program in which no epoch is understood; the message says why and what to do."""


class ModuleError(InputError):
    """A user's own nn.Module that cannot be made or run; the message names their file and line."""


class FileError(MachineError, ValueError):
    """A file that cannot be used; the message begins with its path and says why and what to do."""

    def __init__(self, path: Path, why: str, is_missing: bool = False) -> None:
        super().__init__(f"{path}: {why}")
        self.path = path
        self.why = why
        self.is_missing = is_missing
        """Whether there is no such file."""


class DataError(MachineError):
    """The data set cannot be had or is damaged; the message says what to do."""


class DownloadError(DataError, OSError):
    """The data set could not be downloaded; the message says what to do."""


class DeviceError(MachineError):
    """The device that was asked for cannot be used; the message says why and what to do."""

    def __init__(self, message: str, why: str = "") -> None:
        super().__init__(message)
        self.why = why
        """The reason alone, without the device's name and the advice."""


class ClusterError(MachineError):
    """A cluster that cannot be reached, or was lost; the message says why and what to do."""


class ProcessError(MachineError):
    """No process can be started: too many are running, or memory is short."""


class MissingPackageError(MachineError):
    """A package of an extra is not installed; the message says how to install it."""


class StorageError(MachineError):
    """A run folder, or a file of the user, cannot be written or read; the message says which and what to do."""


class LockedError(StorageError):
    """Another process holds a lock; the message says which, such as `process 12 on vm`."""


class RunError(StorageError):
    """There is no such run, or what is asked of it cannot be done; the message says why and what to do."""

    exit_code = ExitCode.USAGE

    def __init__(self, message: str, is_missing: bool = False) -> None:
        super().__init__(message)
        self.is_missing = is_missing
        """Whether no run has the name that was given."""


class CheckpointError(StorageError):
    """Bytes that are no checkpoint of this run, or a damaged one."""
