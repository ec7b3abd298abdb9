"""Small values kept for a while: in this process always, in Redis when there is one."""
