"""The accounts service: sign-in, profiles, addresses, public cards."""
