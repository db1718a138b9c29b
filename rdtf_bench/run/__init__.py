"""The harness: makes what a protocol names, measures it and keeps records of it.

May import spec, catalog, assets and core, and what a protocol cannot name (readers, statistics, trials). Hands records
to report/ and commands/.
"""
