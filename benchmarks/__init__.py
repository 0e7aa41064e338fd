"""What measures mergebot against its peer, with the tables it last printed."""
