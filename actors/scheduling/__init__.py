"""The scheduler's process: the messages that are sent at planned times."""
