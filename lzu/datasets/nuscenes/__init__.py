"""nuScenes: layout, reader, validator and the infos that mmdet3d reads."""
