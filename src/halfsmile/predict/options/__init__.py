"""What a run is asked for: which faces, computed where."""
