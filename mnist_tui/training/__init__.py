"""From a spec to a trained network, as a generator of events. Only here is torch used."""
