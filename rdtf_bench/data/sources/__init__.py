"""Make an ordinary data folder of what a user names as a source: packed files, or a dataset on the Hugging Face Hub.

May import core and data/reading. Hands out the path of a folder that data/reading/folders reads. Imports no torch.
"""
