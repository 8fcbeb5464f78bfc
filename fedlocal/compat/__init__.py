"""Private names of other libraries, one module per library, and nothing else.

A private name may change with any version, and nobody announces it. So whatever fedlocal needs of that kind
has a function or a name here that says what it relies on, and a test in ``tests/compat/`` that says what
broke. Flower's private names are in `fedlocal.flower.compat`. The room imports nothing of fedlocal, and none
of its modules is imported unless its library is needed anyway.
"""
