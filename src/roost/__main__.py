"""`python -m roost`: the command line, where the program `roost` is not on the PATH."""

from roost.interfaces.cli.main import main

main()
