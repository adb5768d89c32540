"""One data set, one file: each reader is a function ``read(root) -> Manifest``."""
