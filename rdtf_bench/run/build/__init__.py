"""From names and options of protocols to objects: methods, metrics, devices.

May import spec, catalog, assets and core, but no other room of run/. Hands out methods and metrics that are ready to
use.
"""
