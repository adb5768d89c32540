"""halfsmile: facial-expression recognition from a few labeled faces and many unlabeled ones."""

__version__ = "0.1.0"
