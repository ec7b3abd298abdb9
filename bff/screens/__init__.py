"""The screen contract: how long a screen may take, what its parts are, and what became of them."""
