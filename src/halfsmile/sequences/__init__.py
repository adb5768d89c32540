"""Probabilities over time: smoothing, segments, scores. No torch here."""
