"""Batched augmentation of face crops, in torch."""
