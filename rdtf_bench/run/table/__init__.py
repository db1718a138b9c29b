"""Tables of trained rows and control rows: the plan of the jobs, the jobs themselves, and the record of each cell.

May import every other room of run/ except costs and validity. Hands out an Outcome: the cells and their records.
"""
