"""The parts of `scripts/stress.py`, one a file, and the frame that all of them share."""
