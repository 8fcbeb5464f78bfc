"""What runs in a worker's process, and how it starts and talks to the supervisor."""
