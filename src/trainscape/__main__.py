"""``python -m trainscape``: the command line."""

import sys

from trainscape.cli import main

sys.exit(main())
