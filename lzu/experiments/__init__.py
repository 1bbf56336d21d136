"""What is run: suites, runs and the tables that they fill (no torch, no mm*)."""
