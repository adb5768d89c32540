"""Files beside pictures that tell what folders and tables leave open: names of classes, lists of splits."""
