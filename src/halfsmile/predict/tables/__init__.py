"""Tables of faces: columns, formats, resuming."""
