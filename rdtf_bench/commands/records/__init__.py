"""Commands about records: what decided a number, what differs between two, and whether a number can be repeated."""
