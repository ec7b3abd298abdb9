"""Proofs: unit (mirrors the code), contract, e2e (one file per promise), clients, bench."""
