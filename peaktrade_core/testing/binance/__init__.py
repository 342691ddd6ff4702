"""Binance's spot REST interface as its public documentation describes it, over the same markets and account as Kraken's."""
