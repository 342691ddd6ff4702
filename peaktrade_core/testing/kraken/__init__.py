"""Kraken as the loopback venue speaks it: what it lists, its signatures, its spot and futures interfaces."""
