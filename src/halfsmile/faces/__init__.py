"""From pictures to faces: detectors behind one protocol, alignment to five points, quality. No torch here."""
