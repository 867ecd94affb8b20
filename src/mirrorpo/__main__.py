"""The start of the command line, also by ``python -m mirrorpo``."""

import signal
import sys


def main() -> None:
    """Import the command line and run it: Ctrl-C during the import ends in one line too."""
    try:
        from mirrorpo import cli
    except KeyboardInterrupt:
        print("mirrorpo: Interrupted before it began.", file=sys.stderr)
        raise SystemExit(128 + signal.SIGINT) from None
    cli.main()


if __name__ == "__main__":
    main()
