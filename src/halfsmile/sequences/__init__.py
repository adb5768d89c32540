"""Frames of one person over time: networks run on windows, smoothing, segments, scores. No torch here."""
