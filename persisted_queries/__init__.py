"""What shipped apps send, and what has become of each release; who may ask is the gateway's."""
