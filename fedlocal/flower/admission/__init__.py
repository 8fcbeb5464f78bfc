"""What replies are admitted: policies of one interface."""
