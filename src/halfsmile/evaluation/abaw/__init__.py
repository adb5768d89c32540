"""The expression challenge on Aff-Wild2: its metric, its folds, its submissions."""
