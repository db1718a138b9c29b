"""The baselines of the paper, three adapters on I2VGen-XL, and the control rows that every method is compared with.

A module may import `models`, `data`, `metrics`, `diffusion`, `assets` and `core`, but not the harness. It hands out a
method (`Config`, `build`) or a control, which the harness loads by the names of `catalog`.
"""
