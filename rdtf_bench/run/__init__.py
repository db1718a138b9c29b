"""The harness: makes what a protocol names, measures it and keeps records of it.

May import spec, catalog, assets, core, data, metrics and diffusion. Reaches models and baselines by name alone,
through catalog. Hands records to report/ and commands/.
"""
