"""Numbers: published against measured, methods against the baseline, intervals."""
