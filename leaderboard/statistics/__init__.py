"""What may be said of scores: intervals, paired tests, one headline, many claims, power."""
