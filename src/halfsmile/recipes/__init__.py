"""Every hyper-parameter of a run, as plain functions that return frozen dataclasses."""
