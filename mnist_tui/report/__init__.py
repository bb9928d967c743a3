"""A report on runs, to hand in: tables, curves and pictures as Markdown or HTML."""
