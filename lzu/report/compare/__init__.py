"""Numbers: published against measured, methods against uniform, intervals."""
