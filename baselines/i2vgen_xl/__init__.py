"""I2VGen-XL (arXiv 2311.04145), the frozen base that the three baselines adapt."""
