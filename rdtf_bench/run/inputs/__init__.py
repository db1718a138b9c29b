"""The clips that a run works on: found, decoded, encoded and kept in the store.

May import run.progress, spec, catalog, data, assets and core, but no other room of run/. Hands out
datasets, real clips and training clips.
"""
