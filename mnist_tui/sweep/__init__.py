"""Many runs: what to train, which processes train it, and what came of it. No torch but in the workers."""
