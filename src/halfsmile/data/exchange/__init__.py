"""Faces and labels to other programs and back."""
