"""Which replies are admitted: the policy `Strict` by what is declared, the policy `Structural` by budgets."""
