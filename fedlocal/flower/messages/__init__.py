"""Messages as bytes: arrays out of band, the small rest in JSON, and the way back, checked."""
