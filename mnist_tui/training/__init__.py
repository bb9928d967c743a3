"""From a spec to a trained network, as a generator of events. The only package that loads torch."""
