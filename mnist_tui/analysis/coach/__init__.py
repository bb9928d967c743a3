"""The coach: rules that say with a run's own numbers what to change. `rules.py` registers them all."""
