"""Which reader fits a path, and why: for people who have a data set and no wish to name its layout."""
