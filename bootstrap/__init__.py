"""What a process is made of, built in one place: programs, tests and benches build the same graph."""
