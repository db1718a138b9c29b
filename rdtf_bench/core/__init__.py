"""The contracts that everything else is built on: errors, videos, seeds, intervals, the store, methods and metrics.

It imports nothing of rdtf_bench outside this package, and every other package may import it. It hands out the error
classes, the types `Video`, `Score`, `Metric` and `Method`, hashed random generators, confidence intervals and the
store of results.
"""
