"""The way in for everyone outside: HTTP/JSON on a Unix socket, checked, and handed to the other actors."""
