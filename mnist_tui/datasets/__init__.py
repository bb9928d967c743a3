"""Data sets: what is published of each, where its files are on this machine, and their images. No torch."""
