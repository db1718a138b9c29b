"""Networks that this repository trains: `rdtf`, the small networks of the toy scale (`toy`), and counts of frozen ones.

A module may import `data`, `metrics`, `diffusion`, `assets` and `core`, but neither `baselines` nor the harness. It
hands out methods and networks, which the harness loads by the names of `catalog`.
"""
