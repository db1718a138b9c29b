"""Tables of scores: rows, grids, verdicts and footers."""
