"""Searches: configurations that are proposed from the results of those before. Only `study` uses optuna."""
