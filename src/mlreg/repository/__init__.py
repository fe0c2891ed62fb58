"""A repository: objects, their index and the transaction log in one store.

Data passes `packing` on the way in and `objects` on the way out; `log` says what is true, `view` answers
quickly what the log says, and `repository` puts the four together on one store.
"""
