"""Diffusion numerics that every method shares: masks of tasks, guidance, latents, the loss, sampling and training.

The package imports core and assets alone; models and baselines import it. It knows no particular network.
"""
