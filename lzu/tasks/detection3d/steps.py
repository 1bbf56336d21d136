"""What monocular 3-D detection does at every step: name -> `module:function`.

They are imported when they are called for. The functions need torch and mmdet3d, but for `score`,
which needs nuscenes-devkit alone.
"""

_ROOM = "lzu.tasks.detection3d"

STEPS = {
    "write_world": f"{_ROOM}.data:write_world",
    "check": f"{_ROOM}.data:check_data",
    "prepare": f"{_ROOM}.data:prepare_data",
    "prior": f"{_ROOM}.data:prior_saliency",
    "model_config": f"{_ROOM}.build:model_config",
    "dataset_config": f"{_ROOM}.build:dataset_config",
    "check_trainable": f"{_ROOM}.training:check_trainable",
    "training_hooks": f"{_ROOM}.training:training_hooks",
    "fit_weights": f"{_ROOM}.initial:fit_weights",
    "predict": f"{_ROOM}.predict:predict",
    "score": f"{_ROOM}.scoring.score:score",
    "operations": f"{_ROOM}.operations:operations",
    "frame": f"{_ROOM}.drawing.frame:busy_frame",
    "draw_data": f"{_ROOM}.drawing.frame:draw_data",
    "cases": f"{_ROOM}.drawing.cases:draw_cases",
}
