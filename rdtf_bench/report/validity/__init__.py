"""Reports on the validity of metrics: curves of faults, and agreement of extension rules."""
