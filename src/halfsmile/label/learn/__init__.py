"""What learns from the answers: features, the head, what to ask next, the curve."""
