"""The parts of `scripts/reproduce.py`: what is trained, what is kept of it, and the tables made of that."""
