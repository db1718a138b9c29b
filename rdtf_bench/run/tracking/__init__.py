"""Logs results to MLflow, which holds a copy of what is on disk; the server itself is asked what it holds.

A table is one parent run with one child run for each row, and a fine-tuning is one run. Only this package imports
mlflow.
"""
