"""What goes over the wire, for the checks of requests and the description of answers."""
