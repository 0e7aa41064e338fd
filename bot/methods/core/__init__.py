"""How a merge method is declared, found, described and applied."""
