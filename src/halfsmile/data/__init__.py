"""Faces as data: manifests, readers, label budgets, augmentation, generated faces."""
