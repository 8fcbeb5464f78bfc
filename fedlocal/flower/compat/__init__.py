"""What a new version of Flower may break: its private names, its log, and strategies of its older API."""
