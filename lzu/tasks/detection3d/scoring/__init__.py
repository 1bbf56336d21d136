"""nuScenes' detection score: ground truth, predictions, matching, recall, uncertainty over scenes.

The numbers are those of nuscenes-devkit's own DetectionEval, which a test holds them to, bit by
bit, and its rules, errors and means are called from here. Two slow things of it are not done.
It loads all tables, which takes its `NuScenes` minutes and 10 GB for v1.0-trainval; the prepared
file has what is needed. And its `accumulate` compares boxes pair by pair in Python, at each of four
distances: on one core 31 ms for a sample of 400 predictions, three minutes for the 6,019 of the
validation set, and as much again for each of the 24 sets of scenes that are left out. Here all of
it takes 35 s, 14 of them for reading the predictions' file.
"""
