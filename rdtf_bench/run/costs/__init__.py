"""Costs of each denoiser: parameters, time and memory of one forward pass, with random weights.

May import run.build and environment, but not run.table. Hands out cost records and parameter counts.
"""
