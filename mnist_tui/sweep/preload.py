"""Imported once by the process that workers are forked from: what every run needs before its first step."""

from mnist_tui.training import resume, session, warm_up

__all__ = ["resume", "session"]

warm_up.warm_up()
