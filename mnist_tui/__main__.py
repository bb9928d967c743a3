"""`python -m mnist_tui`."""

from mnist_tui.cli import main

if __name__ == "__main__":
    main()
