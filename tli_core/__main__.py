"""`python -m tli_core`: the command line."""

import sys

from tli_core.cli.main import main

if __name__ == "__main__":
    sys.exit(main())
