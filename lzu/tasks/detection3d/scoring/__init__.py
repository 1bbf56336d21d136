"""nuScenes' detection score: ground truth, predictions, matching, recall, uncertainty over scenes.

The numbers are those of nuscenes-devkit's own DetectionEval, which a test holds them to, bit by
bit, and its rules, errors and means are called from here. Its two slow steps are written anew.
Loading all tables as its `NuScenes` does takes minutes and 10 GB for v1.0-trainval, of which the
prepared file holds what is needed. And its `accumulate` compares every prediction with every object
of its sample in Python, at each of four distances, for each class, and again for each set of scenes
left out.
"""
