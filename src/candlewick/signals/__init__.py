"""Columns to BUY, SELL and HOLD with the reason.  One signal per file, found by its name."""
