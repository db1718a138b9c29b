"""Says what decided a number and what differs between two, from records alone. May import run/ and spec/, no torch."""
