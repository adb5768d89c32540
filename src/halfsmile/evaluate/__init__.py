"""Metrics, comparison of runs, and the report."""
