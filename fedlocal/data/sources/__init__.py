"""Sources of data: each is called as ``source(rng=generator, **options)``, returns a `Dataset`.

:mod:`fedlocal.datasets` has them all; the groups of ``conf/dataset`` bear their names.
"""
