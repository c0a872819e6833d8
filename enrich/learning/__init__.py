"""Training: tables, teachers, students and their metrics. The only folder with scikit-learn."""
