"""The world of the stories."""

from tests.journeys.fixtures import new_box, own_service, service

__all__ = ["new_box", "own_service", "service"]
