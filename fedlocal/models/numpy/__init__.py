"""Networks in NumPy: layers, losses, the fused step, stacks of equal networks."""
