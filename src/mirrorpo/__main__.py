"""``python -m mirrorpo``."""

from mirrorpo.cli import main

main()
