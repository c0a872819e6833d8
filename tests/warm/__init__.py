"""Commands and servers that are forked by a process which has imported everything already.

Starting one, Python imports for up to two seconds, and as long again in a compute child: longer
than the work that most tests give them. A forked one is still a process of its own, with its own
environment, output, signals and exit code, and so are its children. What it cannot show is how a
command starts. `tests/test_docs.py` shows that, with the commands of the README and the tutorial,
and so do the tests that start processes themselves, such as workers. `make faults` forks none.
"""
