"""Self-test of the metrics: known answers that they must give before a table is trusted.

May import run.build, spec, catalog, metrics, assets and core. Hands out outcomes, and a warning for
tables whose metrics failed.
"""
