"""Logs of other programs as runs that can be opened, overlaid and reported."""
