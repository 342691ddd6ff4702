"""Files of candles as people have them, read from the outside in: source, sheet, roles, times and figures, rows, bars."""
