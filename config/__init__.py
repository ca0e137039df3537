"""The configuration of a squad: what it may say, reading it, checking the classes it names, and showing it."""
