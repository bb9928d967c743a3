"""The command line: arguments, commands, and training without a dashboard."""
