"""I2VGen-XL (arXiv 2311.04145), the frozen base network that three baselines adapt, and its conditions.

This package may import what `baselines` may, but none of the methods there. It hands them the base network, its
conditions, training and sampling (`encoders`, `tuning`), and the reading and writing of weights.
"""
