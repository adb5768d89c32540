"""Leaf helpers that know nothing of faces: files, locks, the console, pages, downloads, processes."""
