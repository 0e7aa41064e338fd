"""The chat templates that recipes can name."""
