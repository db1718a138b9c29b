"""Trials of the metrics themselves: graded faults of clips, validity curves over them, and a self-test.

The package imports the metrics and core. It hands out `distortions.FAULTS`, `validity.curve` and `selftest.run`.
"""
