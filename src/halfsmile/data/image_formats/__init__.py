"""What is special to one format of image files."""
