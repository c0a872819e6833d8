"""What learns: tables, teachers, students, and how good they are; all that needs scikit-learn."""
