"""The parts of uvicorn that serve, without those of its command line and its settings in files."""

from lancert.kit.lean import without

with without("uvicorn.supervisors", "logging.config", "configparser"):
    from uvicorn.config import Config
    from uvicorn.protocols.http.h11_impl import H11Protocol
    from uvicorn.server import ServerState

__all__ = ["Config", "H11Protocol", "ServerState"]
