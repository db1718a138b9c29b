"""User studies: draws the clips that raters rank, reads their votes and counts them.

May import everything below run/ and run/table; hands out arenas and tallies.
"""
