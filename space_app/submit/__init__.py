"""From a recipe in a text box to a pull request."""
