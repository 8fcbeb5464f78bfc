"""Which replies are admitted: the policies, `Strict` for fedlocal's own client, `Structural` for any app."""
