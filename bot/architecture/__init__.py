"""What is known about model families: config files, layer names, tensors with a vocabulary axis."""
