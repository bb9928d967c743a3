"""`python -m mnist_tui`."""

from mnist_tui.cli.main import main

if __name__ == "__main__":
    main()
