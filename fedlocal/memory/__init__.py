"""All shared memory: blocks, and what is made of them: broadcasts, slots, acknowledgements, arrays."""
