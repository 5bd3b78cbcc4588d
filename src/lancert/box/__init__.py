"""The IoT system's side: the agent that keeps the certificate alive, and the homepage that explains it."""
