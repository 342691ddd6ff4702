"""Candles: the store, reading files, fetching from a venue, and whether they are fit for use."""
