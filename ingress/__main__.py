"""`python -m ingress …` is the command line, for child processes of our own environment."""

from ingress.cli import main

main()
