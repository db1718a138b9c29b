"""Procedural datasets that stand in for real ones: toy stickers as GIF files, moving things, textured landscapes.

The package imports core alone. `stickers.write` writes a folder; `movers.clip` and `scenes.clip` return tensors.
"""
