"""What a person set for good, where each value comes from, and what was used last."""
