"""Builds methods, metrics and devices from the names and options of protocols.

May import spec, catalog, assets and core, but no other room of run/. Hands out methods and metrics that are ready to
use.
"""
