"""The supervisor's process: who runs, who is started again, and how a squad stops and changes."""
