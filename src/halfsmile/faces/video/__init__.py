"""Reading and writing of videos."""
