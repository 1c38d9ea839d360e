"""The hook program: run as `python -I -S program.py DOTROOST CLIENT [wait|http]` at every event of a coding client.

It is short because the interpreter compiles it anew each time; what it imports was compiled before.
"""

import sys

sys.path.insert(0, __file__.rsplit("/", 1)[0])
try:
    import begin  # type: ignore[import-not-found]  # beside this file, so that no package is imported
except ImportError:
    sys.exit(0)  # an installation without its parts is no fault of the agent

begin.run(sys.argv)
