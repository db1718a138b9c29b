"""Read videos with PyAV, seek in them, and find those that are cut off or damaged."""
