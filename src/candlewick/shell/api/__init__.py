"""HTTP and WebSocket: market data out, one operator's command in.

Start at `app.py`; who may call what is one table in `access.py`.
"""
