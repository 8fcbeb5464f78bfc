"""All shared memory: buffers, arrays, sealed files."""
