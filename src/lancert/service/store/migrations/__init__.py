"""The numbered migrations of the database; a migration that was released is never edited."""
