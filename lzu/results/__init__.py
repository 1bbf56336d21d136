"""Result files: schema, provenance, collecting; published values (no torch)."""
