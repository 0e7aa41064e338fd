"""What the user wrote: strict schema, parsing with places, parameter values, hash, lock."""
