"""The configuration: its typed schema, how it is composed and validated, and how objects are built from it.

The parts are imported from where they are: `schema`, `compose`, `build`, `validation`.
"""
