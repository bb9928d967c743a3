"""Networks that differ in their seed only, trained by one step over stacked weights."""
