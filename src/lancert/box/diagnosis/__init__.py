"""The doctor: one file per check, each with a stable id, the same table on the homepage and on the command line."""
