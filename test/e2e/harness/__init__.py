"""Drives the real binary from outside, with nothing but what its users have.

server.py   a safawinet process: start, stop, kill, pause, restart; its log; SQL on its database
nodes.py    several of them on one PostgreSQL database
postgres.py PostgreSQL servers of our own, their standbys and their faults; guardian.py clears them away
redis.py    Redis servers of our own, and their faults
network.py  a network of its own for a node, in which packets disappear
proxy.py    stands between a server and its database or cache: delays, stalls, cuts
client.py   the HTTP API: one method per endpoint, and raw requests
mail.py     the mail that the server wrote to files
people.py   users made through the API: signed up, verified, logged in
races.py    many requests that arrive in the same instant
runbook.py  the commands of the production runbook
clock.py    a wall clock that the test moves
ledger.py   what one user did and what was acknowledged, held against the server after a fault
traffic.py  users who go on whatever happens, and how they were answered
"""
