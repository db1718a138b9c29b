"""Validity of the metrics: how each metric answers to faults of growing strength, and how far metrics agree.

May import run.build, run.inputs and record modules, but not run.table's jobs. Hands out curve and agreement records.
"""
