"""The laboratory: design, train, watch."""
