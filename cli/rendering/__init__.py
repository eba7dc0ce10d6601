"""Tables and texts of the command line."""
