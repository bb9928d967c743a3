"""Curves: the runs that are drawn, the canvas of braille dots, charts, and the zoom."""
