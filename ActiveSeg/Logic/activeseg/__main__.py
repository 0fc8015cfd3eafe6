"""``python -m activeseg``: the command line."""

import sys

from activeseg.cli import main

if __name__ == "__main__":
    sys.exit(main())
