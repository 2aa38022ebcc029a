"""The built-in exchange, without its sockets: a seeded market and the words it is told in.

`market` is a pure function of (seed, symbol, time): nothing is stored, so a process that was killed
goes on with the same trades and the same ids, and any hour of the past can be asked for.
`*_frames` write trades and books exactly as the venue does, `*_session` is one WebSocket
connection and `*_rest` the public REST calls.  `shell/builtin.py` gives them a port and a clock.
"""
