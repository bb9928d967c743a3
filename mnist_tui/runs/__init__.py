"""What happens in a run and what is on disk: events, the run folder, and the table of runs."""
