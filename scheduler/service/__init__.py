"""Making it happen: clock, sockets, processes, store."""
