"""Everything a change must pass, in one command: format, lint, types, direction of imports, tests.

`--fast` leaves out the tests that are marked `slow`, and draws fewer examples for property tests.
"""

import os
import subprocess
import sys
from pathlib import Path

CHECKS = (
    ("ruff", "format", "--check", "."),
    ("ruff", "check", "."),
    ("lint-imports",),
    # Four processes for two cores: tests of terminals and timers wait for much of their time. Each file stays in one;
    # the order is that of tests/conftest.py, since by default files with few tests, which are the longest, come last.
    # -rs: what was skipped, and why, are the last lines.
    (sys.executable, "-m", "pytest", "-n4", "--dist", "loadfile", "--no-loadscope-reorder", "--durations", "30", "-rs"),
)

BESIDE = ("mypy",)
"""Runs beside the others, which leave it a core for much of the time: without its cache it takes 45 s."""

FAST = ("-m", "not slow", "--hypothesis-profile", "fast")
"""What pytest gets for `--fast`; the profile is tests/conftest.py's."""


def main() -> int:
    """Runs every check, also after one has failed; the exit code is 0 where all passed."""
    # The tools of this Python's environment, whether it is activated or not.
    os.environ["PATH"] = f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', '')}"
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)  # Every process would compile all tests and modules anew.
    checks = [(*check, *FAST) if "pytest" in check and "--fast" in sys.argv else check for check in CHECKS]
    with subprocess.Popen(BESIDE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as beside:
        failed = [" ".join(check) for check in checks if subprocess.run(check, check=False).returncode]
        print(beside.communicate()[0], end="")
    failed += [" ".join(BESIDE)] if beside.returncode else []
    for check in failed:
        print(f"FAILED: {check}", file=sys.stderr)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
