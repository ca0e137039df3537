"""The program of the command agent ``printer``: one ``stamp`` in, one ``booked`` out. Run by its path, not imported."""

import json
import os
import sys
import time


def main() -> None:
    message = json.load(sys.stdin)
    payload = message["payload"]
    path = os.path.join(message["options"]["folder"], "runs")  # noqa: PTH118 - imports little, to start quickly
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    run = f"{message['agent']} {message['id']} {message['attempt']}\n"
    os.write(descriptor, f"b {run}".encode())
    time.sleep(payload["pause"])
    booked = {"entry": payload["entry"], "number": payload["number"], "amount": payload["amount"], "by": "printer"}
    sys.stdout.write(json.dumps({"recipient": "book", "type": "booked", "payload": booked}) + "\n")
    sys.stdout.flush()
    os.write(descriptor, f"e {run}".encode())


if __name__ == "__main__":
    main()
