"""A process that programs of tests are forked from: `python -m helpers.warm_server SOCKET`, a descriptor's number.

It has loaded what `mnist-tui` needs to train and to show the dashboard. Each message brings three descriptors: a file
with the program, its terminal, and a pipe for the answer, which is the process id, then the exit code.
"""

import fcntl
import gc
import json
import os
import select
import signal
import socket
import sys
import termios
import time

from helpers.warm_process import NUMBER, Program
from mnist_tui.sweep import preload
from mnist_tui.tui import app

__all__ = ["app", "preload"]


def next_program(requests: socket.socket) -> Program:
    """Returns in each forked process, with what it is to run; ends this one when nobody can ask for more."""
    woken, wake = os.pipe()
    os.set_blocking(wake, False)
    signal.set_wakeup_fd(wake)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    answers: dict[int, int] = {}
    while True:
        ready = select.select([requests.fileno(), woken], [], [])[0]
        if woken in ready:
            os.read(woken, 4096)
            _answer_ended(answers)
        if requests.fileno() in ready:
            message, descriptors, *_ = socket.recv_fds(requests, 1, 3)
            if not message:
                sys.exit()
            request, terminal, answer = descriptors
            pid = os.fork()
            if not pid:
                signal.set_wakeup_fd(-1)
                with open(request) as file:
                    program = Program(**json.load(file))
                _use(terminal)
                for number in (requests.fileno(), woken, wake, terminal, answer, *answers.values()):
                    os.close(number)
                return program
            answers[pid] = answer
            os.write(answer, NUMBER.pack(pid))
            os.close(request)
            os.close(terminal)


def _answer_ended(answers: dict[int, int]) -> None:
    for pid in list(answers):
        ended, status = os.waitpid(pid, os.WNOHANG)
        if ended:
            answer = answers.pop(pid)
            os.write(answer, NUMBER.pack(os.waitstatus_to_exitcode(status)))
            os.close(answer)


def _use(terminal: int) -> None:
    """Makes it the terminal of a session of its own, with the signals of a shell's command."""
    for number in range(3):
        os.dup2(terminal, number)
    os.setsid()
    fcntl.ioctl(0, termios.TIOCSCTTY, 0)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    for each in (signal.SIGHUP, signal.SIGCHLD):
        signal.signal(each, signal.SIG_DFL)


def begin(program: Program) -> None:
    """Gives this process the program's arguments, folder and environment."""
    sys.argv = ["-c", *program.arguments]
    os.environ.clear()
    os.environ.update(program.environment)
    time.tzset()
    os.chdir(program.folder)


if __name__ == "__main__":
    gc.freeze()
    todo = next_program(socket.socket(fileno=int(sys.argv[1])))
    begin(todo)
    exec(compile(todo.code, "<string>", "exec"))  # Here, not in a function: the process ends as any other does.
