"""Safetensors and nothing about merging: headers, sources, sinks, digests."""
