"""Tables of faces: rows of any file, columns by name or by what they hold, values, labels and pictures."""
