"""The homepage: what the IoT system shows its owner, on a phone, without scripts, on a bad day."""
