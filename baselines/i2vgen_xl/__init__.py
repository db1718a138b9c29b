"""I2VGen-XL (arXiv 2311.04145), the frozen base network that the three baselines adapt.

This package may import what `baselines` may, but none of the adapters. It hands them the base network, its training and
its sampling (`tuning`), and the reading and writing of adapter files.
"""
