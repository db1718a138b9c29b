"""The small networks of the toy scales: one module per network with its architecture, its recipe and its measurements.

`autoencoder`, `text` (the generators' text, image and T5 encoders, which are trained together), `base`, `clip`,
`fast_vqa` and `i3d` are the networks; `corpus` and `distortions` make their training data, `card` describes a trained
folder, `build` runs the recipes, and `weights/` holds the shipped results. This package may import `data`, `metrics`,
`diffusion` and `core`. It hands out `build`, which the harness loads by name, and the folders of `weights/`.
"""
