"""Datasets: one module per dataset, and the frames that are chosen from a clip.

The package imports core and assets alone. A dataset module hands out `prepare` (a source becomes a folder), `read` (its
clips) and functions that decode the frames of a clip.
"""
