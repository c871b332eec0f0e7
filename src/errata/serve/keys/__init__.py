"""Keys and how often they may be used, as they are kept: no web framework is needed to make one."""
