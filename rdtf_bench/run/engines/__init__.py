"""Engines run the jobs of a table in the order that run.table.schedule states.

May import progress, environment and the torch-free modules of run.table (context, schedule, worker). Hands out the peak
memory; results go into the store. A new engine implements the protocol `Engine`.
"""
