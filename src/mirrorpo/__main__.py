"""The start of the command line, also by ``python -m mirrorpo``."""

import signal
import sys


def main() -> None:
    """Import the command line and run it: Ctrl-C during the import ends in one line too."""
    try:
        from mirrorpo import cli
    except KeyboardInterrupt:
        sys.stderr.write("mirrorpo: Interrupted before it began.\n")
        raise SystemExit(128 + signal.SIGINT) from None
    cli.main()


if __name__ == "__main__":
    main()
