"""Small tools that know nothing of certificates, boxes or services."""
