"""Lines to inputs: the format of the proxy's log, and what a request means to the packages."""
