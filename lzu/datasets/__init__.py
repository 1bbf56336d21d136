"""Datasets: readers, validators and the synthetic world; needs numpy and OpenCV, no PyTorch.

Entry points: `synthetic.WorldConfig`, `synthetic.argoverse_writer.write_argoverse_hd`,
`synthetic.cityscapes_writer.write_cityscapes` and `synthetic.nuscenes_writer.write_nuscenes`,
`images.read_image`, `objects.objects`; of `argoverse_hd`: `classes.CLASSES`, `validation.validate`
and `coco.prepare`; of `cityscapes`: `classes.LABELS`, `validation.validate`, `prepare.prepare`,
`split.write_split`, `reader.read_train_ids` and, for a prior, `reader.stream_train_ids`.
"""
