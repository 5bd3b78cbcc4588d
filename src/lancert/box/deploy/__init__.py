"""Hand-over: other programs here are given the certificate, checked, and given the old one back if it fails."""
