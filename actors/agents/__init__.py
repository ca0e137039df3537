"""The processes that handle messages: a user's class or command, what it is told, and what it says."""
