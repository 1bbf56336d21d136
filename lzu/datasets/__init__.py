"""Datasets: readers, validators and the synthetic world; needs numpy and OpenCV, no PyTorch.

Entry points: `classes.CLASSES`, `synthetic.WorldConfig`,
`synthetic.argoverse_writer.write_argoverse_hd`, `argoverse_hd_validation.validate` and
`coco.prepare`.
"""
