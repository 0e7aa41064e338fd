"""Durable state: one SQLite file for what is named, one folder for content."""
