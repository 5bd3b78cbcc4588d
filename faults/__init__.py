"""Long proofs, run by hand: what a power cut, a kill, a full or a failing disk leaves of a certificate."""
