"""The clips that a run works on: found, decoded, encoded and kept in the store.

May import progress, spec, catalog, assets and core. Hands out datasets, real clips and training clips.
"""
