"""What teachers say of faces before a stage begins."""
