"""Writes mnist_tui/data/digits.gz: the 1,797 handwritten 8x8 digits that replace MNIST where it cannot be had.

They are the test part of "Optical Recognition of Handwritten Digits" (E. Alpaydin, C. Kaynak 1998, UCI Machine Learning
Repository, doi:10.24432/C50P49, CC BY 4.0), in the copy that scikit-learn ships as `sklearn.datasets.load_digits`.
Every call writes the same bytes.
"""

import gzip
from pathlib import Path

import numpy as np
from sklearn.datasets import load_digits

FILE = Path(__file__).parents[1] / "mnist_tui" / "data" / "digits.gz"


def digit_rows() -> bytes:
    """A row of 65 bytes for each digit: 64 pixels, row by row, 0 (background) to 16, and the label."""
    digits = load_digits()
    return np.column_stack([digits.data, digits.target]).astype(np.uint8).tobytes()


if __name__ == "__main__":
    FILE.write_bytes(gzip.compress(digit_rows(), mtime=0))
    print(f"{FILE}: {FILE.stat().st_size:,} bytes")
