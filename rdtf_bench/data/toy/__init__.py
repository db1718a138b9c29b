"""Procedural datasets that stand in for real ones: toy stickers, streets seen from a car, moving things, landscapes.

The package imports core alone. `stickers.write` and `driving.write` write folders; `movers.clip` and `scenes.clip`
return tensors.
"""
