"""Drives the real binary from outside, with nothing but what its users have.

server.py   a safawinet process on its own data folder: start, stop, kill, pause, restart; its log
client.py   the HTTP API: one method per endpoint, and raw requests
mail.py     the mail that the server wrote to files
people.py   users made through the API: signed up, verified, logged in
races.py    many requests that arrive in the same instant
"""
