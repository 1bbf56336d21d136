"""Result files, their statistics, tables and figures (no torch)."""
