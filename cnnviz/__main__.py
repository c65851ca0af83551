"""`python -m cnnviz`: the command line."""

import sys

from cnnviz.commands import main

if __name__ == "__main__":
    sys.exit(main())
