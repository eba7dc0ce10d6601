"""The routes, three to six lines each: all they do is call the core."""
