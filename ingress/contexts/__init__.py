"""An incident's context over REST: the document, its page, its picture, and how its gathering goes."""
