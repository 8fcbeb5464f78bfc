"""The command ``fedlocal``: its verbs, arguments, completion, and jobs of a sweep."""
