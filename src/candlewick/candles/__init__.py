"""Trades to candles.  `bars.py` is the fold over events, `fold.py` what one bar does with a trade.

Time bars are tumbling windows in exchange time, aligned to the epoch; coarse bars are the fold of
fine ones.  A bar is final when the feed's clock has passed its end plus a grace; a later trade is
a revision.
"""
