"""Annotated copies, timelines and explanations as pictures."""
