"""Pictures drawn from frames and warps."""
