"""Runs: the table of all run folders, and the views of one."""
