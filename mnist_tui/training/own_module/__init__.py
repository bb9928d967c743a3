"""A user's own nn.Module, in a process of its own: what it is made of, and whether a preset can say the same."""
