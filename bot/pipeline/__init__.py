"""The pipeline's stages and the workspace they leave their results in."""
