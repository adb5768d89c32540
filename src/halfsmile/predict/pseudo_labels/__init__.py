"""A model labels the faces of a store."""
