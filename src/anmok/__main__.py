"""`python -m anmok`."""

from anmok.cli import main

main()
