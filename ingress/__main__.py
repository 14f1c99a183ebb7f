"""`python -m ingress …` runs the command line. `up` starts its child processes this way."""

from ingress.cli import main

main()
