"""The monitor's process: readings of the machine and of every process, and what follows from them."""
