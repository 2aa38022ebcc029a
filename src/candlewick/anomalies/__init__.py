"""Candles to alerts, each once.  One rule per file; the file name is its name.

To add one: write `name.py` with

    KINDS      (upward, downward)     the names of its two alerts
    DEFAULTS   {"limit_pct": 5.0}     its settings, names unlike every other rule's
    VERSION    1                      raised when the same candles give another verdict or state
    HEAD       record(...)            the state of one series, parameters included
    SLOT       record(window=...)     what it keeps of a window that a late trade can still revise
    start(heads, slots, settings)     checks the settings, writes them into zeroed states
    scan(heads, slots, series, windows, open, close, trades, verdicts)    compiled: judges rows
    words(row, rose, span)            the reason in a sentence

Nothing else: `watch.py` finds it here, and sees to it that no alert is given twice.
"""
