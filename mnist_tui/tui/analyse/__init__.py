"""Analyse: why a saved run is wrong, and what to change."""
