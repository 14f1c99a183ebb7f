"""Tools over REST, and the one caller behind every face."""
