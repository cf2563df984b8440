"""What is kept on disk: records, history and configuration, each with a version."""
