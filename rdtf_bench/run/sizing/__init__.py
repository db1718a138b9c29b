"""Says what training needs of a machine before any work: memory from a model, seconds from a few real steps.

Uses the method modules by name, as costs/ does. Hands needs to table/, which refuses what cannot fit, and to report/.
"""
