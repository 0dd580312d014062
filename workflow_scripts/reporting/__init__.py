"""What the report says of results that belong to no study: values for its template, computed from tables."""
