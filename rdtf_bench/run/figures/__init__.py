"""Numbers of the figures that are drawn from a data folder or a curriculum: what is planned, and how it is measured."""
