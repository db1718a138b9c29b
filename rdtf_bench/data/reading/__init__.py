"""Read folders of animations, videos and frames: which clips they hold, their captions and splits, their pixels.

The package imports core and `data.frames` alone. `decode` is its only module that imports torch.
"""
