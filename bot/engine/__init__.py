"""Executes a plan; the only place with threads and devices; resumes; reports events."""
