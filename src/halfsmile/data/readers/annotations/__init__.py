"""Annotation files with boxes and classes, as tools for labeling write them."""
