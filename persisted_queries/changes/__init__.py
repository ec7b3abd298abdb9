"""What differs between two schemas, as typed changes; whom a change hurts is `impact.py`'s."""
