"""FOVEA (Thavamani et al., ICCV 2021) for anchor heads."""
