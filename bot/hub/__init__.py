"""The bot's only door to the Hugging Face Hub: pinned parents in, published models out."""
