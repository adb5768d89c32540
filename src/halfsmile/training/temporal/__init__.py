"""Stage IV of a run: a network over the features of neighboring frames."""
