"""The nouns: instruments, money, time, columns and the wire schemas.  No I/O, no clock."""
