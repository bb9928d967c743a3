"""Runs as tasks of a Ray cluster, with or without a runs directory that its nodes share."""
