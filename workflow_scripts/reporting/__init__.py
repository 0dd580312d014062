"""What the report says: values for its template, computed from the tables of the results."""
