"""What a number on a data set means, how a data set is recognized, and how it is read for that."""
