"""Runs: the table of every run folder, and what is told of one."""
