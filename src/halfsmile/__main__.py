"""``python -m halfsmile``."""

from halfsmile.cli import main

main()
