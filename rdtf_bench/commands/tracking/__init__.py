"""The commands that show tables in MLflow, and log there what a failed server did not get."""
