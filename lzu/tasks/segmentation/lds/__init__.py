"""Learning to Downsample (LDS): samples as dense as a learned map of semantic edges says."""
