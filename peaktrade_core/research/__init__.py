"""The decision code over history: compiled backtest, other limits, previews, divergence."""
