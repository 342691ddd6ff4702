"""The venue, through the real ccxt client: errors, calls, credentials, market data, and brokers that cannot trade live."""
