"""What the tests stand on: real processes, databases, and a transport that can hold answers."""
