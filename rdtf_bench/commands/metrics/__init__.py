"""Commands about metrics: score clips, probe the metrics, and compare numbers with published ones."""
