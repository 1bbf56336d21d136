"""Datasets: readers, validators and the synthetic world; needs numpy and OpenCV, no PyTorch.

Entry points: `synthetic.WorldConfig`, `synthetic.argoverse_writer.write_argoverse_hd`,
`images.read_image`, `objects.objects`, and of `argoverse_hd`: `classes.CLASSES`,
`validation.validate` and `coco.prepare`.
"""
