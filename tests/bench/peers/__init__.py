"""Peers written in Python: started by uvicorn, told what they need in the variable BENCH."""
