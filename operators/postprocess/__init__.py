"""From the results of a model to boxes, masks and keypoints."""
