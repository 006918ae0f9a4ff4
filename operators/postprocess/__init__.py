"""From what a model gives to boxes, masks, keypoints."""
