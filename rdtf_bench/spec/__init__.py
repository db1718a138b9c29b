"""Protocols: their files, their schemas and the cells that they plan. Imports no torch."""
