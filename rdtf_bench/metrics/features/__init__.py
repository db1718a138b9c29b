"""The frozen networks that metrics look through, with the preprocessing of their input.

The package imports core and assets alone; the metrics beside it, and models that need features, import it. Each module
hands out a network and a function `load` that checks the weights.
"""
