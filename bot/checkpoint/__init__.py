"""Reading and writing safetensors checkpoints: headers, sources, sinks, digests; no merging."""
