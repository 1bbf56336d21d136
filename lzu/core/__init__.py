"""The geometry of a warp: lattice, mapping, nodes, inversion, resampling (torch alone)."""
