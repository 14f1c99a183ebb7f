"""REST endpoints for contexts: the document, its HTML page, its picture and its progress."""
