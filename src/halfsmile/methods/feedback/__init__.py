"""Debiased feedback from student to teacher, for a batch or per sample, and the guard against other faces."""
