"""Weights and other files from elsewhere: their names, hashes and downloads. May import core alone."""
