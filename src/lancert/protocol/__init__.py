"""What a box and the certificate service agree on: names, credential, messages, problems, signatures."""
