"""The dashboard: screens and widgets over specs, events and run folders. Nothing below it knows textual."""
