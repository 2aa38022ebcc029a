"""Candlewick: exchange feeds to candles, indicators, signals and anomalies that can be trusted."""

__version__ = "0.1.0"
