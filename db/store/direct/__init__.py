"""The store through its driver alone, for what a web process asks of it all the time.

Importing SQLAlchemy takes half of the start of a process and a third of its memory.
"""
