"""Everything impure: the loop, sockets, clock, threads, disk, randomness."""
