"""The ten classes of nuScenes' detection task, their attributes, and the categories behind them."""

CLASSES = (
    "car",
    "truck",
    "trailer",
    "bus",
    "construction_vehicle",
    "bicycle",
    "motorcycle",
    "pedestrian",
    "traffic_cone",
    "barrier",
)
"""In mmdet3d's order: the index is the label."""

OF_CATEGORY = {
    "vehicle.car": "car",
    "vehicle.truck": "truck",
    "vehicle.trailer": "trailer",
    "vehicle.bus.bendy": "bus",
    "vehicle.bus.rigid": "bus",
    "vehicle.construction": "construction_vehicle",
    "vehicle.bicycle": "bicycle",
    "vehicle.motorcycle": "motorcycle",
    "human.pedestrian.adult": "pedestrian",
    "human.pedestrian.child": "pedestrian",
    "human.pedestrian.construction_worker": "pedestrian",
    "human.pedestrian.police_officer": "pedestrian",
    "movable_object.trafficcone": "traffic_cone",
    "movable_object.barrier": "barrier",
}
"""Category in the tables -> class. All other categories are of no class."""

OTHER_CATEGORIES = (
    "animal",
    "human.pedestrian.personal_mobility",
    "human.pedestrian.stroller",
    "human.pedestrian.wheelchair",
    "movable_object.debris",
    "movable_object.pushable_pullable",
    "static_object.bicycle_rack",
    "vehicle.emergency.ambulance",
    "vehicle.emergency.police",
)
BICYCLE_RACK = "static_object.bicycle_rack"
"""The devkit leaves out bicycles and motorcycles, true and found, that stand in one."""

ATTRIBUTES = (
    "cycle.with_rider",
    "cycle.without_rider",
    "pedestrian.moving",
    "pedestrian.standing",
    "pedestrian.sitting_lying_down",
    "vehicle.moving",
    "vehicle.parked",
    "vehicle.stopped",
)
NO_ATTRIBUTE = len(ATTRIBUTES)
"""Label of a box that has none, as those of cones and barriers; others are indices."""

CAMERAS = (
    "CAM_FRONT",
    "CAM_FRONT_RIGHT",
    "CAM_FRONT_LEFT",
    "CAM_BACK",
    "CAM_BACK_LEFT",
    "CAM_BACK_RIGHT",
)
"""In mmdet3d's order."""
