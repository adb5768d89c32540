"""Folders above pictures: what their names mean."""
