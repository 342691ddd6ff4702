"""Bybit's unified v5 interface as its public documentation describes it, spot and linear perpetuals, over the same markets."""
