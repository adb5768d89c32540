"""Scores of predictions, how sure one may be of them, and calibration. No torch here."""
