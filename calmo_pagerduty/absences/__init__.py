"""When people are away: calendars that were imported, kept as times without their texts."""
