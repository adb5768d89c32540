"""From what a model says to what is said of a face: priors, rest, votes, doubt."""
