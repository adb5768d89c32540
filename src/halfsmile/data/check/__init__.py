"""What a data set is, what is in it, what is wrong with it, and how to mend that."""
