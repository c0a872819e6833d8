"""What answers without a teacher: features, the student and the body of a response."""
