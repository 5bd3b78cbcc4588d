"""The figures: what a certificate, a question and a start cost on this machine. Nothing here is a test."""
