"""What a person may write: networks, recipes and presets as data, and what follows from them without torch."""
