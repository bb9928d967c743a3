"""mnist-tui: the terminal laboratory for small image classifiers."""
