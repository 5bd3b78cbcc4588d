"""Browser-trusted HTTPS certificates for IoT systems on private networks, automatically."""

__version__ = "0.1.0"
