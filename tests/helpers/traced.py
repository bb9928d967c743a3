"""A forked process that stops before each system call by which it could change the disk: to kill it or fail the call.

A seccomp filter stops the process, its threads and its children, and ptrace says what they are about to do (man 2
seccomp, man 2 ptrace). Nothing has to be compiled or installed; it needs Linux on x86-64. What is written through a
memory mapping is not seen; only databases and linkers do that here.
"""

import ctypes
import errno
import itertools
import os
import platform
import signal
import struct
import sys
import traceback
import warnings
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

IS_POSSIBLE = sys.platform == "linux" and platform.machine() == "x86_64"

CALLS = {
    1: "write", 18: "pwrite64", 20: "writev", 40: "sendfile", 74: "fsync", 75: "fdatasync", 76: "truncate",
    77: "ftruncate", 82: "rename", 83: "mkdir", 84: "rmdir", 86: "link", 87: "unlink", 88: "symlink", 90: "chmod",
    91: "fchmod", 257: "openat", 258: "mkdirat", 263: "unlinkat", 264: "renameat", 265: "linkat", 266: "symlinkat",
    268: "fchmodat", 280: "utimensat", 285: "fallocate", 316: "renameat2", 326: "copy_file_range",
}  # fmt: skip
"""Numbers of the calls (Linux, arch/x86/entry/syscalls/syscall_64.tbl)."""
OPENAT, MAY_WRITE = 257, os.O_WRONLY | os.O_RDWR | os.O_CREAT
OF_DESCRIPTORS = {"write", "pwrite64", "writev", "fsync", "fdatasync", "ftruncate", "fchmod", "fallocate"}
"""Calls whose first argument is the file."""
TARGETS = {"sendfile": 0, "copy_file_range": 2}
"""Where the descriptor that is written to is another argument."""

TRACEME, CONT, GETREGS, SETREGS, SETOPTIONS = 0, 7, 12, 13, 0x4200
FORK_VFORK_CLONE_SECCOMP_EXITKILL = 2 | 4 | 8 | 0x80 | 0x100000
SECCOMP_STOP = signal.SIGTRAP | 7 << 8
RAX, RDX, RSI, RDI, ORIG_RAX = 10, 12, 13, 14, 15
"""Places in `user_regs_struct`, which has 27 words."""
WALL = 0x40000000
"""`__WALL` of waitpid: threads too."""
_libc = ctypes.CDLL(None, use_errno=True)
_libc.ptrace.argtypes = [ctypes.c_long, ctypes.c_long, ctypes.c_void_p, ctypes.c_void_p]
_libc.ptrace.restype = ctypes.c_long


@dataclass
class Call:
    """A system call that is about to happen."""

    name: str
    path: Path
    """What it changes; of a rename, what is renamed."""
    pid: int
    _registers: "ctypes.Array[ctypes.c_ulonglong]"
    is_killed: bool = False

    def kill(self) -> None:
        """Ends the process and all its children with SIGKILL, before the call."""
        self.is_killed = True

    def fail(self, number: int) -> None:
        """Lets the call fail with an error number of the module errno, without any effect."""
        self._registers[ORIG_RAX] = 2**64 - 1
        self._registers[RAX] = 2**64 - number
        _ptrace(SETREGS, self.pid, self._registers)

    def shorten(self) -> None:
        """Lets a write take half of what it is given, as POSIX allows; does nothing to other calls."""
        if self.name == "write" and self._registers[RDX] > 1:
            self._registers[RDX] //= 2
            _ptrace(SETREGS, self.pid, self._registers)


OnCall = Callable[[Call], None]


def trace(action: Callable[[], object], folder: Path, on_call: OnCall) -> int:
    """Runs an action in a forked process and tells each call that changes something below a folder.

    Returns the exit code of the process, or minus the signal that ended it.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # Of a fork with threads: the child uses none of them.
        child = os.fork()
    if child == 0:
        _be_traced(action)
    return _Tracer(child, folder.resolve(), on_call).follow()


def killer(number: int) -> OnCall:
    """Kills the process before its change of the disk with this number, from 1."""
    numbers = itertools.count(1)

    def count(call: Call) -> None:
        if next(numbers) == number:
            call.kill()

    return count


def killed_before(number: int, action: Callable[[], object], folder: Path) -> bool:
    """Kills the process of an action so; False: it made fewer changes, and came to its end."""
    code = trace(action, folder, killer(number))
    assert code in (0, -signal.SIGKILL), f"exit code {code}"
    return code != 0


class _Tracer:
    def __init__(self, child: int, folder: Path, on_call: OnCall) -> None:
        self._child, self._folder, self._on_call = child, folder, on_call
        self._pids = {child}

    def follow(self) -> int:
        try:
            os.waitpid(self._child, 0)  # It stops itself.
            _ptrace(SETOPTIONS, self._child, FORK_VFORK_CLONE_SECCOMP_EXITKILL)
            _ptrace(CONT, self._child, None)
            return self._wait()
        finally:
            self._kill()
            self._reap()

    def _wait(self) -> int:
        code = None
        while code is None or len(self._pids) > 0:
            try:
                pid, status = os.waitpid(-self._child, WALL)  # Its process group, so no other child of this process.
            except ChildProcessError:
                break
            if os.WIFSTOPPED(status):
                self._pids.add(pid)
                self._stopped(pid, status)
                continue
            self._pids.discard(pid)
            if pid == self._child:
                code = os.waitstatus_to_exitcode(status)
        assert code is not None
        return code

    def _stopped(self, pid: int, status: int) -> None:
        number = os.WSTOPSIG(status)
        if status >> 8 == SECCOMP_STOP:
            if self._is_killed_at(pid):
                return
            number = 0
        elif number in (signal.SIGTRAP, signal.SIGSTOP):
            number = 0  # A new process or thread.
        with suppress(ProcessLookupError):
            _ptrace(CONT, pid, number)

    def _is_killed_at(self, pid: int) -> bool:
        registers = (ctypes.c_ulonglong * 27)()
        _ptrace(GETREGS, pid, registers)
        name = CALLS[registers[ORIG_RAX]]
        path = _path(name, pid, registers)
        if path is None or not path.is_relative_to(self._folder):
            return False
        call = Call(name, path, pid, registers)
        self._on_call(call)
        if call.is_killed:
            self._kill()
        return call.is_killed

    def _kill(self) -> None:
        for pid in self._pids:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)

    def _reap(self) -> None:
        with suppress(ChildProcessError):
            while True:
                os.waitpid(-self._child, WALL)


def _path(name: str, pid: int, registers: "ctypes.Array[ctypes.c_ulonglong]") -> Path | None:
    """The file that a call changes; None where it is none, such as a pipe."""
    arguments = [registers[place] for place in (RDI, RSI, RDX)]
    try:
        if name in OF_DESCRIPTORS or name in TARGETS:
            path = Path(f"/proc/{pid}/fd/{ctypes.c_int(arguments[TARGETS.get(name, 0)]).value}").readlink()
            return path if path.is_absolute() else None
        if not name.endswith(("at", "at2")):
            return Path(f"/proc/{pid}/cwd").readlink() / _text(pid, arguments[0])
        descriptor = ctypes.c_int(arguments[0]).value
        base = Path(f"/proc/{pid}/cwd" if descriptor < 0 else f"/proc/{pid}/fd/{descriptor}").readlink()
        return base / _text(pid, arguments[1])
    except OSError:
        return None


def _text(pid: int, address: int) -> str:
    """The text at an address of another process, up to its end."""
    if address == 0:  # `utimensat` of a descriptor.
        return ""
    with open(f"/proc/{pid}/mem", "rb", buffering=0) as memory:
        memory.seek(address)
        text = b""
        while b"\0" not in text:
            text += memory.read(min(256, 4096 - (address + len(text)) % 4096))  # The next page may not be there.
    return os.fsdecode(text.partition(b"\0")[0])


def _ptrace(request: int, pid: int, data: object) -> None:
    pointer = ctypes.cast(data, ctypes.c_void_p) if isinstance(data, ctypes.Array) else data
    if _libc.ptrace(request, pid, None, pointer) < 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))


# --- in the child ---


def _be_traced(action: Callable[[], object]) -> None:
    code = 1
    try:
        os.setpgid(0, 0)
        _ptrace(TRACEME, 0, None)
        os.kill(os.getpid(), signal.SIGSTOP)
        _install_filter()
        action()
        code = 0
    except SystemExit as end:
        code = end.code if isinstance(end.code, int) else int(end.code is not None)
    except BaseException:
        traceback.print_exc()
    finally:
        os._exit(code)


class _Program(ctypes.Structure):
    _fields_ = (("length", ctypes.c_ushort), ("filter", ctypes.c_char_p))


def _install_filter() -> None:
    """Lets the kernel stop this process at each of `CALLS`, and at `openat` only where a file may be written."""
    load, equal, any_bit, give = 0x20, 0x15, 0x45, 0x06  # BPF_LD|W|ABS, BPF_JMP|JEQ, BPF_JMP|JSET, BPF_RET
    allow, stop = 0x7FFF0000, 0x7FF00000
    others = [number for number in CALLS if number != OPENAT]
    lines = [(load, 0, 0, 0), (equal, 0, 3, OPENAT), (load, 0, 0, 32), (any_bit, len(others) + 2, 0, MAY_WRITE)]
    lines.append((give, 0, 0, allow))
    lines += [(equal, len(others) - index, 0, number) for index, number in enumerate(others)]
    lines += [(give, 0, 0, allow), (give, 0, 0, stop)]
    code = b"".join(struct.pack("HBBI", *line) for line in lines)
    program = _Program(len(lines), code)
    for option, first, second in ((38, 1, None), (22, 2, ctypes.byref(program))):  # NO_NEW_PRIVS, SET_SECCOMP
        if _libc.prctl(option, first, second, 0, 0) < 0:
            raise OSError(ctypes.get_errno(), "prctl", errno.errorcode.get(ctypes.get_errno()))
