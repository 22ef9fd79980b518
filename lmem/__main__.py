"""`python -m lmem` is the command line."""

from lmem.cli import main

main()
