"""From the inbox to the workflows, in order, for as long as it takes."""
