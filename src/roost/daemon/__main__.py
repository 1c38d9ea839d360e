"""`python -m roost.daemon PLACE`: the daemon of one project, in the foreground."""

import sys

from roost.daemon.run import main

sys.exit(main(sys.argv[1:]))
