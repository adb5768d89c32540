"""``python -m halfsmile``."""

from halfsmile.cli.main import main

main()
