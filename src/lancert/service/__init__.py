"""The certificate service: knows who may have a certificate, decides, and has certificates signed."""
