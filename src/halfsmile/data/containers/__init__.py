"""Files that hold many pictures: one file for each format, read in place from any thread."""
