"""What the service checks in a request, and what it answers."""
