"""Commands that stand in a file of their own; cli.py puts them together. Nothing heavy is imported before one runs."""
