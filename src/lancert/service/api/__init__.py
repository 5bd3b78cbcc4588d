"""The doors of the service: the box protocol over HTTPS, and the few pages anybody may read."""
