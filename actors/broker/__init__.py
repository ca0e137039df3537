"""The storage's process: every mailbox, who is handed what, and what is written down in one commit."""
