"""What the command line does, a module for each group of commands."""
