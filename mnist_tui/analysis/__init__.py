"""What saved runs say: statistics, comparisons, tables, Markdown and plots in text."""
