"""The emulator's HTTP server: ports, endpoints and access."""
