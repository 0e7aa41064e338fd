"""Talking to models: one protocol for every engine, memory, stops and limits around it."""
